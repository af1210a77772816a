// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/region_map.hpp"

namespace dmremap::remap {

RegionMap::RegionMap(SectorCount device_size)
    : words_(align_up(device_size.value, kRegionSectors.value * 64) / (kRegionSectors.value * 64)),
      summary_((words_.size() + 63) / 64) {}

bool RegionMap::any_of_many(std::uint64_t first, std::uint64_t last) const {
  for (std::uint64_t word = first / 64; word <= last / 64; ++word) {
    const std::uint64_t from = word == first / 64 ? first % 64 : 0;
    const std::uint64_t to = word == last / 64 ? last % 64 : 63;
    if ((words_[word].load() & bits(from, to)) != 0) return true;
  }
  return false;
}

void RegionMap::set(SectorRange range) {
  if (range.empty()) return;
  const std::uint64_t last = region_of(range.end() - SectorCount{1});
  for (std::uint64_t region = region_of(range.first); region <= last; ++region) {
    words_[region / 64].fetch_or(std::uint64_t{1} << (region % 64));
    summary_[region / 4096].fetch_or(std::uint64_t{1} << (region / 64 % 64));
  }
}

void RegionMap::clear(std::uint64_t region) {
  const std::uint64_t bit = std::uint64_t{1} << (region % 64);
  // Nobody sets meanwhile: a word that is 0 stays so.
  if ((words_[region / 64].fetch_and(~bit) & ~bit) == 0) {
    summary_[region / 4096].fetch_and(~(std::uint64_t{1} << (region / 64 % 64)));
  }
}

}  // namespace dmremap::remap
