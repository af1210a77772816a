// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as a picture for a report: one drawing, as SVG or PNG, in the styles
// of state_style.hpp.
#pragma once

#include <span>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"

namespace dmremap::view {

enum class PictureKind { svg, png };

// The text above the disk.
struct PictureTitle {
  std::string name;
  std::string uuid;
  std::string state;
  std::string time;
  std::string verdict{};  // on the disk, in one line; empty: there is none
};

// The bytes of a file. Errors: no_memory, internal: the drawing library's.
[[nodiscard]] Result<std::string> draw_picture(PictureKind kind, const PictureTitle& title,
                                               std::span<const format::Extent> extents,
                                               SectorCount size);

}  // namespace dmremap::view
