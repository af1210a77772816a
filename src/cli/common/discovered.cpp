// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/discovered.hpp"

#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"

namespace dmremap::cli {

discovery::Discovery discover_sets(const std::vector<std::string>& devices,
                                   const control::RuntimeDir& runtime) {
  const auto runs = [&](const std::string& name, const Uuid& uuid) {
    if (!is_running(runtime, name)) return false;
    const auto status = running_status(runtime, name);
    // One that starts or stops just now does not answer: by its name it is that one.
    return !status || status->uuid == uuid;
  };
  return discovery::discover(devices, discovery::Hints(runtime.hints()), runs);
}

std::string state_of(const discovery::DiscoveredSet& set) {
  if (set.running) return "running";
  return set.problem ? std::string(name_of(set.problem->code)) : "whole";
}

}  // namespace dmremap::cli
