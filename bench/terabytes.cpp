// SPDX-License-Identifier: GPL-2.0-or-later
#include "terabytes.hpp"

#include <algorithm>

namespace dmremap::bench {

Terabytes::Terabytes(std::uint64_t extents) {
  std::vector<std::uint64_t> blocks;
  while (blocks.size() < extents) {
    while (blocks.size() < extents) blocks.push_back(below(kDiskSize.value / kRequest.value));
    std::ranges::sort(blocks);
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  }
  extents_.reserve(extents);
  for (const std::uint64_t block : blocks) {
    // Never one behind the other, so that neighbours stay two.
    const SpareAddress spare{kFirstSpare, {2 * kRequest.value * (1 + extents_.size())}};
    extents_.emplace_back(format::State::remapped, SectorRange{{block * kRequest.value}, kRequest},
                          spare);
  }
}

bool Terabytes::taken(Sector at) const {
  return std::ranges::binary_search(extents_, at, {},
                                    [](const auto& extent) { return extent.main().first; });
}

std::vector<Sector> Terabytes::hits(std::size_t count) {
  std::vector<Sector> out;
  while (out.size() < count) out.push_back(extents_[below(extents_.size())].main().first);
  return out;
}

std::vector<Sector> Terabytes::misses(std::size_t count) {
  std::vector<Sector> out;
  while (out.size() < count) {
    const Sector at{below(kDiskSize.value / kRequest.value) * kRequest.value};
    if (!taken(at)) out.push_back(at);
  }
  return out;
}

std::vector<Sector> Terabytes::near_misses(std::size_t count) {
  std::vector<Sector> out;
  while (out.size() < count) {
    const Sector hit = extents_[below(extents_.size())].main().first;
    const SectorRange region = table::range_of_region(table::region_of(hit));
    const std::uint64_t block = below(table::kRegionSectors.value / kRequest.value);
    const Sector at = region.first + SectorCount{block * kRequest.value};
    if (!taken(at)) out.push_back(at);
  }
  return out;
}

}  // namespace dmremap::bench
