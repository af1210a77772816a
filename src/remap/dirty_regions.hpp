// SPDX-License-Identifier: GPL-2.0-or-later
// Which regions of main were written since the last good flush. A drive may report a failed write
// only at a flush, without an address: then these regions are read back.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/units.hpp"
#include "remap/region_map.hpp"

namespace dmremap::remap {

// Thread-safe. Two levels, so that taking them costs little on a large, quiet disk.
class DirtyRegions {
 public:
  explicit DirtyRegions(SectorCount device_size);

  // Call when a write is done, before it is acknowledged.
  void add(SectorRange range) {
    if (range.empty()) return;
    const std::uint64_t last = region_of(range.end() - SectorCount{1});
    for (std::uint64_t region = region_of(range.first); region <= last; ++region) add(region);
  }
  [[nodiscard]] bool any() const;

  // Moves all to `into` (of the same size): what is added from now on is for the next flush.
  void move_to(DirtyRegions& into);
  void clear();

  // In order; regions added meanwhile may be missed.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t bits = words_[i].load(); bits != 0; bits &= bits - 1) {
        visit(i * 64 + static_cast<std::uint64_t>(std::countr_zero(bits)));
      }
    }
  }

 private:
  using Words = std::vector<std::atomic<std::uint64_t>>;

  void add(std::uint64_t region) {
    const std::uint64_t bit = std::uint64_t{1} << (region % 64);
    const std::uint64_t summary_bit = std::uint64_t{1} << (region / 64 % 64);
    auto& word = words_[region / 64];
    auto& summary = summary_[region / 4096];
    // Both are tested: another thread may have set the first and not yet the second.
    if ((word.load() & bit) != 0 && (summary.load() & summary_bit) != 0) return;
    word.fetch_or(bit);
    summary.fetch_or(summary_bit);
  }

  Words words_;
  Words summary_;  // a bit for each word that is not 0
};

}  // namespace dmremap::remap
