// SPDX-License-Identifier: GPL-2.0-or-later
// A disk as a row of cells of equal size, for pictures. Pure.
//
// The worst state inside a cell is the cell's, so that one lost sector of a disk of any size is
// seen.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "format/extent.hpp"

namespace dmremap::view {

// The states of main's sectors, from the best to the worst.
inline constexpr std::array kStatesOfMain{format::State::good, format::State::remapped,
                                          format::State::suspect, format::State::lost,
                                          format::State::gone};

// The index of a state in kStatesOfMain.
[[nodiscard]] std::size_t severity_of(format::State state);

struct Cells {
  SectorCount per_cell;               // the last cell may have less
  std::vector<format::State> states;  // in order of address, at least one
};

// Divides a disk into at most `count` cells of a round number of sectors: 1, 2, 4, 6, 8, 12, 16 ...
// `extents` are sorted and within `size`. Requires size and count above 0.
[[nodiscard]] Cells make_cells(std::span<const format::Extent> extents, SectorCount size,
                               std::uint64_t count);

// Sectors by state, in the order of kStatesOfMain.
using StateCounts = std::array<std::uint64_t, kStatesOfMain.size()>;
[[nodiscard]] StateCounts count_states(std::span<const format::Extent> extents, SectorCount size);

}  // namespace dmremap::view
