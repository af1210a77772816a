// SPDX-License-Identifier: GPL-2.0-or-later
// Counts what changes the head of main, where file systems keep their first superblock. Who wants
// to know which file system main has need look only after such a change, and not after each write.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/units.hpp"

namespace dmremap::remap {

// Thread-safe.
class HeadWrites {
 public:
  static constexpr SectorCount kHead = SectorCount::from_bytes(128 * kKiB);

  // Call when main has answered a write, zeroes or a discard, well or not, before its user is told.
  void note(SectorRange range) {
    if (range.first.value < kHead.value) [[unlikely]]
      count_.fetch_add(1);
  }
  // Who reads this and then the head sees whatever is counted in it.
  [[nodiscard]] std::uint64_t count() const { return count_.load(); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace dmremap::remap
