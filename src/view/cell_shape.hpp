// SPDX-License-Identifier: GPL-2.0-or-later
// The shape of one square of a picture: how much of it is coloured says how many of its sectors are
// in that state, and how it is marked says the state without colour. Pure.
//
//   few sectors       some            all
//   the state's sign  a smaller       the full square, with the state's mark inside
//   alone             square          (the mark also in a smaller one that has room for it)
//
// States that share a square lie one in another, the worst innermost, so that it is always seen.
#pragma once

#include <array>
#include <cstddef>

#include "view/cells.hpp"

namespace dmremap::view {

// Sides and widths are in shares of the square's side. Sides are multiples of an eighth, so that a
// page can draw all squares of one size as one path.
inline constexpr int kShapeSteps = 8;

struct CellLayer {
  format::State state = format::State::good;
  int steps = kShapeSteps;  // its side in eighths
};

struct CellShape {
  // From the outside in, without the good ground below them.
  std::array<CellLayer, kStatesOfMain.size()> layers;
  std::size_t count = 0;
  // The innermost layer is too small for a mark, and the state's sign stands in its place. `patch`:
  // the ground shows around the sign, which would be lost on the layer that it lies on.
  bool sign = false;
  bool patch = false;
};

// The side of a sign, and of the ground around it.
inline constexpr int kSignSteps = 4;
inline constexpr int kPatchSteps = 6;

[[nodiscard]] CellShape shape_of(const StateCounts& counts);

}  // namespace dmremap::view
