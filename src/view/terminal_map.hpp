// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as characters. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "view/disk_caption.hpp"

namespace dmremap::view {

struct TerminalForm {
  unsigned columns = 80;  // less than 20 counts as 20
  unsigned rows = 20;     // the most that the map may have; 0 counts as 1
  unsigned listed = 20;   // the most ranges that are listed, and the most partitions
  bool color = false;
  bool ascii = false;
};

// The form for a window: the whole output fits into `lines` lines of it, as long as the map keeps
// six rows. `form` gives all else.
[[nodiscard]] TerminalForm fitted(const MapFacts& facts, unsigned lines, TerminalForm form);

// A header in words, lines of cells, each after the sector and the size that it begins with, a
// legend with sectors and sizes, and the ranges that cannot be read. Each state has characters of
// its own, so that colour only helps. Ends in a line end.
[[nodiscard]] std::string print_terminal_map(const MapFacts& facts, const TerminalForm& form);

}  // namespace dmremap::view
