// SPDX-License-Identifier: GPL-2.0-or-later
// Ranges of sectors in parts, as C++ ranges: for (const SectorRange part : blocks_in(range,
// block)). Nothing is allocated.
#pragma once

#include <algorithm>
#include <ranges>

#include "base/units.hpp"

namespace dmremap {

// The blocks that `range` touches, in order, each cut to the range. Blocks begin at multiples of
// their size. Requires block > 0.
[[nodiscard]] inline auto blocks_in(SectorRange range, SectorCount block) {
  const std::uint64_t first = range.first.value / block.value;
  const std::uint64_t end =
      range.empty() ? first : (range.end().value + block.value - 1) / block.value;
  return std::views::iota(first, end) | std::views::transform([range, block](std::uint64_t number) {
           return SectorRange{{number * block.value}, block}.intersect(range);
         });
}

// Parts of `longest` sectors from the beginning of the range, and what is left. Requires
// longest > 0.
[[nodiscard]] inline auto chunks_of(SectorRange range, SectorCount longest) {
  const std::uint64_t parts = (range.count.value + longest.value - 1) / longest.value;
  return std::views::iota(std::uint64_t{0}, parts) |
         std::views::transform([range, longest](std::uint64_t number) {
           const SectorCount before{number * longest.value};
           return SectorRange{range.first + before, std::min(longest, range.count - before)};
         });
}

// `range` extended to whole blocks.
[[nodiscard]] constexpr SectorRange rounded_out(SectorRange range, SectorCount block) {
  const Sector first{align_down(range.first.value, block.value)};
  const Sector end{align_up(range.end().value, block.value)};
  return {first, end - first};
}

}  // namespace dmremap
