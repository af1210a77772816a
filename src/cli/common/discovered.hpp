// SPDX-License-Identifier: GPL-2.0-or-later
// The sets that there are, for the verbs that look for them.
#pragma once

#include <string>
#include <vector>

#include "control/runtime_dir.hpp"
#include "discovery/discover.hpp"

namespace dmremap::cli {

[[nodiscard]] discovery::Discovery discover_sets(const std::vector<std::string>& devices,
                                                 const control::RuntimeDir& runtime);

// "running", "whole", or the name of the error that a start would give.
[[nodiscard]] std::string state_of(const discovery::DiscoveredSet& set);

}  // namespace dmremap::cli
