// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/slowness.hpp"

#include <algorithm>
#include <vector>

namespace dmremap::remap {

bool far_slower(std::uint64_t took_ns, std::span<const std::uint64_t> neighbours_ns) {
  if (took_ns < kSlowReadNs || neighbours_ns.size() < kFewestNeighbours) return false;
  std::vector<std::uint64_t> ordered(neighbours_ns.begin(), neighbours_ns.end());
  const auto middle = ordered.begin() + static_cast<std::ptrdiff_t>(ordered.size() / 2);
  std::ranges::nth_element(ordered, middle);
  return took_ns / kTimesSlower >= *middle;
}

}  // namespace dmremap::remap
