// SPDX-License-Identifier: GPL-2.0-or-later
// Several views of one device among candidates. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "os/usage.hpp"

namespace dmremap::discovery {

// What each candidate lies on, itself first; empty where that is not known.
using Beneath = std::vector<os::Storage>;

// Whether `upper` is another view of `lower`, or the same device under another name.
[[nodiscard]] inline bool lies_on(const Beneath& upper, const Beneath& lower) {
  return !lower.empty() && std::ranges::find(upper, lower.front()) != upper.end();
}

// Of several views of one device only the topmost stays; of equal ones the first. `beneath_of(i)`
// is of the candidate with that index.
template <typename BeneathOf>
[[nodiscard]] std::vector<std::size_t> topmost_views(const std::vector<std::size_t>& among,
                                                     const BeneathOf& beneath_of) {
  std::vector<std::size_t> out;
  for (const std::size_t i : among) {
    const bool covered = std::ranges::any_of(among, [&](std::size_t j) {
      if (i == j || !lies_on(beneath_of(j), beneath_of(i))) return false;
      return !lies_on(beneath_of(i), beneath_of(j)) || j < i;
    });
    if (!covered) out.push_back(i);
  }
  return out;
}

}  // namespace dmremap::discovery
