// SPDX-License-Identifier: GPL-2.0-or-later
// One bit for each MiB of main: could a sector there be anything but good, or be held?
//
// Conservative: a bit is set before a table or a hold that names its region is published, and
// cleared only after one that no longer does. So a clear bit means "main, at the same offset", and
// that is all a request on a healthy disk asks.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/units.hpp"

namespace dmremap::remap {

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
// Two levels: the map of a large disk does not fit the nearest caches, the summary does, and on a
// disk with few bad places it is all that is read.
class RegionMap {
 public:
  explicit RegionMap(SectorCount device_size);

  // Is the bit of any region that `range` touches set? Requires a range inside the device.
  [[nodiscard]] bool any(SectorRange range) const {
    if (range.empty()) return false;
    const std::uint64_t first = region_of(range.first);
    const std::uint64_t last = region_of(range.end() - SectorCount{1});
    const std::uint64_t word = first / 64;
    if (word != last / 64) [[unlikely]]
      return any_of_many(first, last);
    if ((summary_[word / 64].load() >> (word % 64) & 1U) == 0) [[likely]]
      return false;
    return (words_[word].load() & bits(first % 64, last % 64)) != 0;
  }
  void set(SectorRange range);
  void clear(std::uint64_t region);

 private:
  [[nodiscard]] bool any_of_many(std::uint64_t first, std::uint64_t last) const;
  // Bits `from` to `to`, both included.
  [[nodiscard]] static std::uint64_t bits(std::uint64_t from, std::uint64_t to) {
    return ~std::uint64_t{0} >> (63 - (to - from)) << from;
  }

  std::vector<std::atomic<std::uint64_t>> words_;
  std::vector<std::atomic<std::uint64_t>> summary_;  // a bit for each word that is not 0
};

}  // namespace dmremap::remap
