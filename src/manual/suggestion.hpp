// SPDX-License-Identifier: GPL-2.0-or-later
// What somebody who mistyped a word may have meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dmremap::manual {

// The least number of letters that must be added, left out, replaced or exchanged with their
// neighbour to make one word of the other.
[[nodiscard]] unsigned edit_distance(std::string_view a, std::string_view b);

// The word of `known` that is nearest to `word`; of several the first. Empty if none is near: a
// third of its letters may differ, and at least one.
[[nodiscard]] std::optional<std::string> nearest(const std::string& word,
                                                 const std::vector<std::string>& known);

}  // namespace dmremap::manual
