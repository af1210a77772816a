// SPDX-License-Identifier: GPL-2.0-or-later
// The address of a sector on one of the spares of a set: which spare, and which of its sectors. A
// sector number alone does not name a place there, so a Sector does not convert to a SpareAddress,
// and a number does not convert to the index of a spare.
//
// A set has one spare so far, kFirstSpare; extents on disk have room for 256 (format/extent.hpp).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"

namespace dmremap {

// Counts the spares of a set, in the order in which the set took them.
enum class SpareIndex : std::uint8_t {};
inline constexpr SpareIndex kFirstSpare{0};
// What keeps an account for each spare in place has room for as many.
inline constexpr std::size_t kMostSpares = 8;

// For lists that have an entry for each spare.
[[nodiscard]] constexpr std::size_t position_of(SpareIndex index) {
  return static_cast<std::size_t>(index);
}

// Ordered by spare, and on one spare by sector.
struct SpareAddress {
  SpareIndex index = kFirstSpare;
  Sector sector;

  constexpr auto operator<=>(const SpareAddress&) const = default;
};

constexpr SpareAddress operator+(SpareAddress a, SectorCount n) {
  return {a.index, a.sector + n};
}

// A run of sectors on one spare.
struct SpareRange {
  SpareAddress first;
  SectorCount count;

  [[nodiscard]] constexpr SpareAddress end() const { return first + count; }
  [[nodiscard]] constexpr bool empty() const { return count.value == 0; }
  // On the device that is that spare.
  [[nodiscard]] constexpr SectorRange sectors() const { return {first.sector, count}; }
  [[nodiscard]] constexpr bool overlaps(SpareRange r) const {
    return first.index == r.first.index && sectors().overlaps(r.sectors());
  }
  // The common part; empty (count 0) where there is none.
  [[nodiscard]] constexpr SpareRange intersect(SpareRange r) const {
    if (first.index != r.first.index) return {first, {0}};
    const SectorRange common = sectors().intersect(r.sectors());
    return {{first.index, common.first}, common.count};
  }
  constexpr auto operator<=>(const SpareRange&) const = default;
};

}  // namespace dmremap
