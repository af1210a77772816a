// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/region_map.hpp"

namespace dmremap::remap {

RegionMap::RegionMap(SectorCount device_size)
    : words_(align_up(device_size.value, kRegionSectors.value * 64) / (kRegionSectors.value * 64)) {
}

void RegionMap::set(SectorRange range) {
  if (range.empty()) return;
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    words_[region / 64].fetch_or(std::uint64_t{1} << (region % 64));
  }
}

void RegionMap::clear(std::uint64_t region) {
  words_[region / 64].fetch_and(~(std::uint64_t{1} << (region % 64)));
}

}  // namespace dmremap::remap
