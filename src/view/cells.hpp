// SPDX-License-Identifier: GPL-2.0-or-later
// A disk, or a part of it, as a row of cells of equal size, for pictures. Pure.
//
// A cell keeps how many of its sectors are in each state. The worst of them names the cell, so that
// one lost sector of a disk of any size is seen; the shares tell how much of the cell it is.
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

// Sectors by state, in the order of kStatesOfMain.
using StateCounts = std::array<std::uint64_t, kStatesOfMain.size()>;

[[nodiscard]] StateCounts count_states(std::span<const format::Extent> extents, SectorRange range);

struct Cells {
  SectorRange range;                // the part of the disk that they show
  SectorCount per_cell;             // the last cell may have less
  std::vector<StateCounts> counts;  // in order of address, at least one

  [[nodiscard]] std::size_t size() const { return counts.size(); }
  [[nodiscard]] SectorRange range_of(std::size_t cell) const;
  [[nodiscard]] format::State worst(std::size_t cell) const;
  // The share of the cell's sectors that are in its worst state: above 0, at most 1.
  [[nodiscard]] double share_of_worst(std::size_t cell) const;
  // The cell that a sector of the range lies in.
  [[nodiscard]] std::size_t cell_of(Sector sector) const;
};

// Divides a range into at most `count` cells of a round number of sectors: 1, 2, 4, 6, 8, 12, 16
// ... `extents` are those of the disk, sorted. Requires a range that is not empty and a count above
// 0.
[[nodiscard]] Cells make_cells(std::span<const format::Extent> extents, SectorRange range,
                               std::uint64_t count);

}  // namespace dmremap::view
