// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cell_shape.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dmremap::view {

namespace {

// A dot that is still seen: 0.14 of the square's area.
constexpr int kLeastSteps = 3;
// The least side with room for a mark.
constexpr int kMarkedSteps = 6;

// The side of a square whose area is that share. Only all of the sectors fill the whole square.
int steps_of(std::uint64_t sectors, std::uint64_t all) {
  if (sectors >= all) return kShapeSteps;
  const double side = std::sqrt(static_cast<double>(sectors) / static_cast<double>(all));
  return std::clamp(static_cast<int>(std::ceil(side * kShapeSteps)), kLeastSteps, kShapeSteps - 1);
}

}  // namespace

CellShape shape_of(const StateCounts& counts) {
  const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  CellShape out;
  // A layer covers those inside of it, so its area is that of its state and of all worse ones.
  std::uint64_t rest = all - counts[0];
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] > 0) out.layers[out.count++] = {kStatesOfMain[i], steps_of(rest, all)};
    rest -= counts[i];
  }
  if (out.count == 0) return out;
  const CellLayer worst = out.layers[out.count - 1];
  // A remapped sector is no loss: a small square of its own is sign enough.
  out.sign = worst.state != format::State::remapped && worst.steps < kMarkedSteps;
  if (!out.sign || out.count == 1) return out;
  // What the ground around the sign would cover is left out.
  const auto covered = [](const CellLayer& layer) { return layer.steps <= kPatchSteps; };
  const auto* const first = out.layers.begin();
  const auto outer =
      static_cast<std::size_t>(std::find_if(first, first + out.count - 1, covered) - first);
  out.layers[outer] = worst;
  out.count = outer + 1;
  out.patch = outer > 0;
  return out;
}

}  // namespace dmremap::view
