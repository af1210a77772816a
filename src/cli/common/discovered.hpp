// SPDX-License-Identifier: GPL-2.0-or-later
// The sets that there are, for the verbs that look for them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "discovery/discover.hpp"
#include "manual/command_line.hpp"

namespace dmremap::cli {

[[nodiscard]] discovery::Discovery discover_sets(const std::vector<std::string>& devices,
                                                 const control::RuntimeDir& runtime,
                                                 std::chrono::seconds patience);

// --deadline SECONDS: how long a device may be silent. Error usage.
void add_search_deadline(manual::Verb verb, std::string& text);
[[nodiscard]] Result<std::chrono::seconds> search_deadline(const std::string& text);

// The error of a search in which devices did not answer; empty: all did.
[[nodiscard]] std::optional<Error> search_error(const std::vector<Error>& silent);

// "running", "whole", or the name of the error that a start would give.
[[nodiscard]] std::string state_of(const discovery::DiscoveredSet& set);

}  // namespace dmremap::cli
