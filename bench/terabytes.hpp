// SPDX-License-Identifier: GPL-2.0-or-later
// A disk of 4 TiB with extents of 4 KiB somewhere on it, and places to look at.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "format/extent.hpp"
#include "table/region_map.hpp"

namespace dmremap::bench {

inline constexpr SectorCount kDiskSize = SectorCount::from_bytes(4'096 * kGiB);
inline constexpr SectorCount kRequest{8};

// Made once, the same in every run.
class Terabytes {
 public:
  explicit Terabytes(std::uint64_t extents);

  [[nodiscard]] const std::vector<format::Extent>& extents() const { return extents_; }

  // Requests of kRequest, aligned to it, in random order.
  [[nodiscard]] std::vector<Sector> hits(std::size_t count);
  // That meet no extent, anywhere on the disk.
  [[nodiscard]] std::vector<Sector> misses(std::size_t count);
  // That meet no extent in a region (1 MiB) that has one.
  [[nodiscard]] std::vector<Sector> near_misses(std::size_t count);

 private:
  [[nodiscard]] bool taken(Sector at) const;
  [[nodiscard]] std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  std::mt19937_64 random_{4};
  std::vector<format::Extent> extents_;
};

}  // namespace dmremap::bench
