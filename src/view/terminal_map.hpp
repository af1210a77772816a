// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as characters. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/size_text.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"

namespace dmremap::view {

struct TerminalForm {
  unsigned columns = 80;  // less than 20 counts as 20
  unsigned rows = 20;     // the most that the map may have
  bool color = false;
};

// Lines of cells, each after the sector it begins with, then a legend with sectors and sizes. Each
// state has a character of its own, so that color only helps. Ends in a line end.
[[nodiscard]] std::string print_terminal_map(std::span<const format::Extent> extents,
                                             SectorCount size, const TerminalForm& form);

using dmremap::size_text;

}  // namespace dmremap::view
