// SPDX-License-Identifier: GPL-2.0-or-later
// One bit for each MiB of main: could a sector there be anything but good, or be held? And where it
// could, one for each of its cells: among bad blocks that lie scattered over a whole small disk
// most requests touch none. A cell is 64 KiB, and larger on a larger disk, so that all their bits
// fit a near cache; over 2 TiB they would be no smaller than regions, and there are none. That many
// bad blocks do not lie scattered over so large a disk.
//
// Conservative: a bit is set before a table or a hold that names its region is published, and
// cleared only after one that no longer does. So a clear bit means "main, at the same offset", and
// that is all a request on a healthy disk asks.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/units.hpp"

namespace dmremap::table {

inline constexpr SectorCount kRegionSectors{2048};

[[nodiscard]] constexpr std::uint64_t region_of(Sector sector) {
  return sector.value / kRegionSectors.value;
}
[[nodiscard]] constexpr SectorRange range_of_region(std::uint64_t region) {
  return {{region * kRegionSectors.value}, kRegionSectors};
}

// Any thread may test; set and clear are for one at a time. All accesses are sequentially
// consistent: a request announces itself (snapshot.hpp) and then tests; a writer sets and then
// looks for announcements; one of them sees the other.
//
// The map of a large disk does not fit the nearest caches, its summary does, and on a disk with few
// bad places that is all that is read.
class RegionMap {
 public:
  explicit RegionMap(SectorCount device_size);

  // Could it be so of any sector in `range`? Requires a range inside the device.
  [[nodiscard]] bool any(SectorRange range) const {
    if (range.empty()) return false;
    const std::uint64_t first = region_of(range.first);
    const std::uint64_t last = region_of(range.end() - SectorCount{1});
    const std::uint64_t word = first / 64;
    if (word != last / 64) [[unlikely]]
      return any_bit(regions_, first, last);
    if ((summary_[word / 64].load() >> (word % 64) & 1U) == 0) [[likely]]
      return false;
    return (regions_[word].load() & bits(first % 64, last % 64)) != 0 && any_cell(range);
  }
  void set(SectorRange range);
  // The bit of the region and those of its cells.
  void clear_region(std::uint64_t region);
  // The cell that the sector lies in; its whole region where there are none.
  [[nodiscard]] SectorRange cell_at(Sector sector) const {
    return {{align_down(sector.value, std::uint64_t{1} << cell_shift_)},
            {std::uint64_t{1} << cell_shift_}};
  }
  void clear_cell(Sector sector);

 private:
  using Words = std::vector<std::atomic<std::uint64_t>>;

  [[nodiscard]] bool any_cell(SectorRange range) const;
  // Bits `first` to `last` of all words, both included.
  [[nodiscard]] static bool any_bit(const Words& words, std::uint64_t first, std::uint64_t last);
  static void set_bits(Words& words, std::uint64_t first, std::uint64_t last);
  // Bits `from` to `to` of one word, both included.
  [[nodiscard]] static std::uint64_t bits(std::uint64_t from, std::uint64_t to) {
    return ~std::uint64_t{0} >> (63 - (to - from)) << from;
  }
  // Those of `first` to `last` that lie in this word.
  [[nodiscard]] static std::uint64_t bits_in(std::uint64_t word, std::uint64_t first,
                                             std::uint64_t last) {
    return bits(word == first / 64 ? first % 64 : 0, word == last / 64 ? last % 64 : 63);
  }

  Words regions_;
  Words summary_;        // a bit for each word of `regions_` that is not 0
  unsigned cell_shift_;  // a cell has two to the power of so many sectors
  Words cells_;          // empty if there are none
};

}  // namespace dmremap::table
