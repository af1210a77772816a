// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/terminal_map.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/state_style.hpp"

namespace dmremap::view {

namespace {

using format::State;

std::string painted(State state, const std::string& text, bool color) {
  return color ? fmt::format("\x1b[{}m{}\x1b[0m", style_of(state).escape, text) : text;
}

// Escapes are written once for a run of one state; else a line would consist mostly of them.
std::string line_of(std::span<const State> cells, bool color) {
  std::string out;
  for (std::size_t at = 0; at < cells.size();) {
    std::string run;
    const State state = cells[at];
    for (; at < cells.size() && cells[at] == state; ++at) run += style_of(state).character;
    out += painted(state, run, color);
  }
  return out;
}

}  // namespace

std::string print_terminal_map(std::span<const format::Extent> extents, SectorCount size,
                               const TerminalForm& form) {
  const std::size_t address = std::to_string(size.value).size();
  const std::size_t columns = std::max(form.columns, 20U);
  // A round number of cells in each line makes round addresses.
  const std::size_t room = columns > address + 2 ? columns - address - 2 : 1;
  const std::size_t width = room >= 8 ? room / 8 * 8 : room;
  const Cells cells = make_cells(extents, size, width * std::max(form.rows, 1U));
  std::string out;
  for (std::size_t at = 0; at < cells.states.size(); at += width) {
    const auto line =
        std::span(cells.states).subspan(at, std::min(width, cells.states.size() - at));
    out +=
        fmt::format("{:>{}}  {}\n", at * cells.per_cell.value, address, line_of(line, form.color));
  }
  out += fmt::format("\none character is {}, the worst of its sectors shown\n",
                     size_text(cells.per_cell));
  const StateCounts counts = count_states(extents, size);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const State state = kStatesOfMain[i];
    out += fmt::format("  {} {:<9} {:>{}} sectors  {}\n",
                       painted(state, style_of(state).character, form.color), name_of(state),
                       counts[i], address, size_text({counts[i]}));
  }
  return out;
}

}  // namespace dmremap::view
