// SPDX-License-Identifier: GPL-2.0-or-later
// Recognises several views of one device among candidates, such as a loop device and its file.
// Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "os/usage.hpp"

namespace dmremap::discovery {

// All storage that a device lies on, itself first; empty if that is not known.
using StorageStack = std::vector<os::Storage>;

// True if `upper` is another view of `lower`, or the same device under another name.
[[nodiscard]] inline bool lies_on(const StorageStack& upper, const StorageStack& lower) {
  return !lower.empty() && std::ranges::find(upper, lower.front()) != upper.end();
}

// Returns the indices of `among` without those that another one covers: of several views of one
// device only the topmost stays, and of equal ones the first. `beneath_of(i)` is the storage of the
// candidate with index i.
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
