// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/felt_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace dmremap::health {

std::size_t FeltHistogram::bucket_of(std::uint64_t latency_ns) {
  constexpr std::uint64_t kLowest = std::uint64_t{1} << kFirstBit;
  constexpr std::uint64_t kHighest = (std::uint64_t{1} << (kFirstBit + kOctaves)) - 1;
  const std::uint64_t value = std::clamp(latency_ns, kLowest, kHighest);
  const auto octave = static_cast<unsigned>(std::bit_width(value)) - 1;
  const std::uint64_t sub = (value >> (octave - kSubBits)) & ((1U << kSubBits) - 1);
  return (std::size_t{octave - kFirstBit} << kSubBits) + static_cast<std::size_t>(sub);
}

double FeltHistogram::lower_ns(std::size_t bucket) {
  constexpr std::size_t kSubs = std::size_t{1} << kSubBits;
  const double within = 1 + static_cast<double>(bucket % kSubs) / kSubs;
  return std::ldexp(within, static_cast<int>(kFirstBit + bucket / kSubs));
}

void FeltHistogram::add(std::uint64_t latency_ns) {
  ++counts_[bucket_of(latency_ns)];
  ++count_;
}

void FeltHistogram::add(const FeltHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
}

void FeltHistogram::halve() {
  count_ = 0;
  for (std::uint32_t& count : counts_) {
    count /= 2;
    count_ += count;
  }
}

double FeltHistogram::quantile_ns(double fraction) const {
  if (count_ == 0) return 0;
  const double rank = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_);
  double before = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    if (counts_[i] == 0) continue;
    last = i;
    const auto here = static_cast<double>(counts_[i]);
    if (before + here >= rank) {
      return lower_ns(i) + (lower_ns(i + 1) - lower_ns(i)) * (rank - before) / here;
    }
    before += here;
  }
  return lower_ns(last + 1);
}

}  // namespace dmremap::health
