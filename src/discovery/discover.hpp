// SPDX-License-Identifier: GPL-2.0-or-later
// Which sets there are, whether they are whole, and why not. Only looks: nothing is held or
// written, and no path is identity (promise 8); a start checks all of it again on devices it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"

namespace dmremap::discovery {

struct DiscoveredMain {
  std::string path;
  IdentityVerdict verdict;
  bool chosen = false;
};

struct DiscoveredSet {
  std::string name;  // empty: not one whole commit was found
  Uuid uuid;
  std::vector<std::string> spares;    // devices with its metadata
  std::string spare;                  // the one a start would take; empty: none can be chosen
  std::string main;                   // likewise
  std::vector<DiscoveredMain> mains;  // looked at; those of another kind only if they were named
  bool running = false;
  std::optional<Error> problem;  // why a start would refuse it; none: it is whole

  [[nodiscard]] bool whole() const { return !running && !problem; }
};

struct Discovery {
  std::vector<DiscoveredSet> sets;  // by name
  std::vector<Error> others;        // devices with damaged metadata, or that cannot be looked at
};

// What this host knows of the runs of a set.
struct Runs {
  // Whether a process serves that set now: its main is not read then.
  std::function<bool(const std::string& name, const Uuid& uuid)> is_running;
  // Where a run of that name that was killed left what it knew (run_memory.hpp); empty: nowhere.
  std::function<std::string(const std::string& name)> memory_path;
};

// On these devices; without any, on every block device and where sets were last seen.
[[nodiscard]] Discovery discover(const std::vector<std::string>& paths, const Hints& hints,
                                 const Runs& runs);

}  // namespace dmremap::discovery
