// SPDX-License-Identifier: GPL-2.0-or-later
// Latencies in fixed memory: buckets that are 1/32 of a power of two wide, from a microsecond to
// over a minute, 3.3 KiB. A percentile is interpolated within its bucket. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace dmremap::health {

class FeltHistogram {
 public:
  void add(std::uint64_t latency_ns);
  void add(const FeltHistogram& other);
  // What is old counts half from now on.
  void halve();
  void clear() { *this = {}; }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // `fraction` from 0 to 1; 0 for an empty histogram.
  [[nodiscard]] double quantile_ns(double fraction) const;

 private:
  static constexpr unsigned kSubBits = 5;
  static constexpr unsigned kFirstBit = 10;  // 2^10 ns
  static constexpr unsigned kOctaves = 26;   // to 2^36 ns
  static constexpr std::size_t kBuckets = std::size_t{kOctaves} << kSubBits;

  static std::size_t bucket_of(std::uint64_t latency_ns);
  static double lower_ns(std::size_t bucket);

  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace dmremap::health
