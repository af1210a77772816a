// SPDX-License-Identifier: GPL-2.0-or-later
// What a set that needs attention is told about, as zpool(8) does it: what is wrong, and what to
// do. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/common/known_sets.hpp"

namespace dmremap::cli {

// Says what to do, one step each, with the commands. Empty if nothing is to be done.
[[nodiscard]] std::vector<std::string> actions_for(const KnownSet& set);

// The lines "set:", "state:", "status:" and "action:" of a set, each with its line end, for a
// terminal of 80 columns.
[[nodiscard]] std::string attention_text(const KnownSet& set);

}  // namespace dmremap::cli
