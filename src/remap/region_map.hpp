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

// Thread-safe. All accesses are sequentially consistent: a request announces itself (snapshot.hpp)
// and then tests; a writer sets and then looks for announcements; one of them sees the other.
class RegionMap {
 public:
  explicit RegionMap(SectorCount device_size);

  // Is the bit of any region that `range` touches set? Requires a range inside the device.
  [[nodiscard]] bool any(SectorRange range) const {
    if (range.empty()) return false;
    const std::uint64_t last = region_of(range.end() - SectorCount{1});
    for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
      if (((words_[region / 64].load() >> (region % 64)) & 1U) != 0) return true;
    }
    return false;
  }
  void set(SectorRange range);
  void clear(std::uint64_t region);

 private:
  std::vector<std::atomic<std::uint64_t>> words_;
};

}  // namespace dmremap::remap
