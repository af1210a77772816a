// SPDX-License-Identifier: GPL-2.0-or-later
// Which regions of main were written since the last good flush. A drive may report a failed write
// only at a flush, without an address: then these regions are read back.
//
// The words may lie in memory that outlives the process (engine_memory.hpp). Whoever reads them
// after a kill sees the stores of the dead process up to some instruction, and must find every
// region that was written and not flushed, whichever instruction that was.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "table/region_map.hpp"

namespace dmremap::table {

// Thread-safe. Two levels, so that taking them costs little on a large, quiet disk.
class DirtyRegions {
 public:
  // `memory` holds the words, bytes_for(device_size) bytes, aligned to 8, and outlives this; it is
  // zeroed. Empty: memory of its own.
  explicit DirtyRegions(SectorCount device_size, std::span<std::byte> memory = {});
  [[nodiscard]] static std::size_t bytes_for(SectorCount device_size);

  // Call when a write is done, before it is acknowledged. `range` is not empty.
  void add(SectorRange range) {
    const std::uint64_t region = region_of(range.first);
    const bool in_one =
        (range.first.value % kRegionSectors.value) + range.count.value <= kRegionSectors.value;
    if (!in_one || !set(region)) [[unlikely]]
      add_all(range);
  }
  [[nodiscard]] bool any() const;
  [[nodiscard]] bool any(SectorRange range) const;

  // Moves all to `into` (of the same size): what is added from now on is for the next flush. At
  // every instant a region that moves is in one of the two.
  void move_to(DirtyRegions& into);
  void copy_to(DirtyRegions& into) const;
  void clear();

  // Where the first write went in some of the regions that became dirty lately, the newest last,
  // and forgets them. One thread at a time.
  [[nodiscard]] std::vector<Sector> take_recent();

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
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::size_t kRecent = 8;

  // Both levels are tested: another thread may have set the first and not yet the second.
  [[nodiscard]] bool set(std::uint64_t region) const {
    const std::uint64_t bit = std::uint64_t{1} << (region % 64);
    const std::uint64_t summary_bit = std::uint64_t{1} << (region / 64 % 64);
    return (words_[region / 64].load() & bit) != 0 &&
           (summary_[region / 4096].load() & summary_bit) != 0;
  }
  void add_all(SectorRange range);

  std::vector<Word> own_words_;
  std::span<Word> words_;
  std::vector<Word> summary_;           // a bit for each word that is not 0
  std::array<Word, kRecent> recent_{};  // a sector and one; 0: none
  std::atomic<std::size_t> next_recent_{0};
};

}  // namespace dmremap::table
