// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/discovered.hpp"

#include "cli/common/lookup.hpp"

namespace dmremap::cli {

discovery::Discovery discover_sets(const std::vector<std::string>& devices,
                                   const control::RuntimeDir& runtime) {
  const discovery::RunLookup runs{
      [&](const std::string& name, const Uuid& uuid) { return is_running(runtime, name, uuid); },
      [&](const std::string& name) { return memory_path(runtime, name); }};
  return discovery::discover(devices, discovery::Hints(runtime.hints()), runs);
}

std::string state_of(const discovery::DiscoveredSet& set) {
  if (set.running) return "running";
  return set.problem ? std::string(name_of(set.problem->code)) : "whole";
}

}  // namespace dmremap::cli
