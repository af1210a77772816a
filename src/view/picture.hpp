// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as a picture for a report: one drawing, as SVG or PNG, in the styles of state_style.hpp
// and the shapes of cell_shape.hpp. In an SVG texts are texts, and each square says what it is.
#pragma once

#include <string>

#include "base/result.hpp"
#include "view/disk_caption.hpp"

namespace dmremap::view {

enum class PictureKind { svg, png };

// The bytes of a file. Errors: no_memory, internal: the drawing library's.
[[nodiscard]] Result<std::string> draw_picture(PictureKind kind, const MapFacts& facts);

}  // namespace dmremap::view
