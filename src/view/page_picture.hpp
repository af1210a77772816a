// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as SVG to be put into a page: the squares of picture.hpp, in the same styles. Pure.
//
// It differs from a picture in a file where a page asks for it: each colour can be replaced by a
// style sheet, so that it suits a dark page; its texts are texts; the rows can be shorter.
#pragma once

#include <span>
#include <string>

#include "base/units.hpp"
#include "format/extent.hpp"
#include "view/cells.hpp"

namespace dmremap::view {

// The squares of a disk: as many as the picture in a file has.
[[nodiscard]] Cells make_picture_cells(std::span<const format::Extent> extents, SectorCount size);

// An <svg> element of class `kind`, which is hidden from screen readers: a page says in words what
// is to be seen. Squares of a state are of the class "cell" and the name of the state, their marks
// of "mark" and that name. Requires columns above 0.
[[nodiscard]] std::string print_page_picture(const Cells& cells, std::uint64_t columns,
                                             const std::string& kind);

// One square of a state, for the legend.
[[nodiscard]] std::string print_page_swatch(format::State state);

}  // namespace dmremap::view
