// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/discovered.hpp"

#include <nlohmann/json.hpp>

#include "cli/lookup.hpp"

namespace dmremap::cli {

set::Discovery discover_sets(const std::vector<std::string>& devices,
                             const control::RuntimeDir& runtime) {
  const auto runs = [&](const std::string& name, const Uuid& uuid) {
    if (!is_running(runtime, name)) return false;
    const auto status = running_status(runtime, name);
    // One that starts or stops just now does not answer: by its name it is that one.
    return !status || status->value("uuid", std::string()) == to_string(uuid);
  };
  return set::discover(devices, set::Hints(runtime.hints()), runs);
}

std::string state_of(const set::DiscoveredSet& set) {
  if (set.running) return "running";
  return set.problem ? std::string(name_of(set.problem->code)) : "whole";
}

}  // namespace dmremap::cli
