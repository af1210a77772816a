// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cells.hpp"

#include <algorithm>
#include <bit>

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

Cells make_cells(std::span<const format::Extent> extents, SectorCount size, std::uint64_t count) {
  Cells out;
  out.per_cell = {round_up((size.value + count - 1) / count)};
  const std::uint64_t cells = (size.value + out.per_cell.value - 1) / out.per_cell.value;
  out.states.assign(cells, format::State::good);
  for (const format::Extent& extent : extents) {
    const std::uint64_t last = (extent.main().end().value - 1) / out.per_cell.value;
    for (std::uint64_t i = extent.main().first.value / out.per_cell.value; i <= last; ++i) {
      format::State& cell = out.states[i];
      if (severity_of(extent.state()) > severity_of(cell)) cell = extent.state();
    }
  }
  return out;
}

StateCounts count_states(std::span<const format::Extent> extents, SectorCount size) {
  StateCounts out{};
  out[0] = size.value;
  for (const format::Extent& extent : extents) {
    const std::uint64_t sectors = extent.main().count.value;
    out[0] -= sectors;
    out[severity_of(extent.state())] += sectors;
  }
  return out;
}

}  // namespace dmremap::view
