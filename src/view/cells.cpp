// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cells.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace dmremap::view {

namespace {

// The smallest of 1, 2, 4, 6, 8, 12, 16, 24, 32 ... that is at least `value`: sizes that people can
// say.
std::uint64_t round_up(std::uint64_t value) {
  const std::uint64_t power = std::bit_ceil(value);
  const std::uint64_t between = power / 4 * 3;
  return power >= 8 && between >= value ? between : power;
}

}  // namespace

std::size_t severity_of(format::State state) {
  const auto* at = std::ranges::find(kStatesOfMain, state);
  return at == kStatesOfMain.end() ? 0 : static_cast<std::size_t>(at - kStatesOfMain.begin());
}

StateCounts count_states(std::span<const format::Extent> extents, SectorRange range) {
  StateCounts out{};
  out[0] = range.count.value;
  for (const format::Extent& extent : extents) {
    const std::uint64_t sectors = extent.main().intersect(range).count.value;
    out[0] -= sectors;
    out[severity_of(extent.state())] += sectors;
  }
  return out;
}

SectorRange Cells::range_of(std::size_t cell) const {
  return SectorRange{range.first + SectorCount{cell * per_cell.value}, per_cell}.intersect(range);
}

format::State Cells::worst(std::size_t cell) const {
  for (std::size_t i = kStatesOfMain.size() - 1; i > 0; --i) {
    if (counts[cell][i] > 0) return kStatesOfMain[i];
  }
  return format::State::good;
}

double Cells::share_of_worst(std::size_t cell) const {
  const StateCounts& of_cell = counts[cell];
  const auto all = std::accumulate(of_cell.begin(), of_cell.end(), std::uint64_t{0});
  return static_cast<double>(of_cell[severity_of(worst(cell))]) / static_cast<double>(all);
}

std::size_t Cells::cell_of(Sector sector) const {
  return (sector - range.first).value / per_cell.value;
}

Cells make_cells(std::span<const format::Extent> extents, SectorRange range, std::uint64_t count) {
  Cells out{range, {round_up((range.count.value + count - 1) / count)}, {}};
  const std::uint64_t cells = (range.count.value + out.per_cell.value - 1) / out.per_cell.value;
  out.counts.resize(cells);
  for (std::size_t i = 0; i < cells; ++i) out.counts[i][0] = out.range_of(i).count.value;
  for (const format::Extent& extent : extents) {
    const SectorRange part = extent.main().intersect(range);
    if (part.empty()) continue;
    const std::size_t last = out.cell_of(part.end() - SectorCount{1});
    for (std::size_t i = out.cell_of(part.first); i <= last; ++i) {
      const std::uint64_t sectors = out.range_of(i).intersect(part).count.value;
      out.counts[i][0] -= sectors;
      out.counts[i][severity_of(extent.state())] += sectors;
    }
  }
  return out;
}

}  // namespace dmremap::view
