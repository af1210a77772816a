// SPDX-License-Identifier: GPL-2.0-or-later
// Finds all sets on this host, and for each whether a start would take it, or why not. Devices are
// only read: nothing is held or written, and no path is identity (promise 8). A start checks all of
// it again on devices that it holds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/assembly.hpp"
#include "discovery/hints.hpp"

namespace dmremap::discovery {

// A device that may be the main of a set.
struct DiscoveredMain {
  std::string path;
  IdentityVerdict verdict;
  bool chosen = false;
};

// A set of which at least one spare was found.
struct DiscoveredSet {
  std::string name;  // empty: not one whole commit was found
  Uuid uuid;
  std::vector<std::string> spares;    // devices with its metadata
  std::string spare;                  // the one a start would take; empty: none can be chosen
  std::string main;                   // likewise
  std::vector<DiscoveredMain> mains;  // looked at; those of another kind only if they were named
  bool running = false;
  std::optional<Error> problem;  // why a start would refuse it; empty if it is whole

  [[nodiscard]] bool whole() const { return !running && !problem; }
};

struct Discovery {
  std::vector<DiscoveredSet> sets;  // by name
  std::vector<Error> others;        // devices with damaged metadata, or that cannot be looked at
};

// How to look up what this host knows about the runs of a set.
struct RunLookup {
  // True if a process serves that set now; its main is not read then.
  std::function<bool(const std::string& name, const Uuid& uuid)> is_running;
  // The file in which a killed run of that name left its evidence (run_memory.hpp); empty if there
  // is none.
  std::function<std::string(const std::string& name)> memory_path;
};

// Looks at these devices; if `paths` is empty, at every block device and where sets were last seen.
[[nodiscard]] Discovery discover(const std::vector<std::string>& paths, const Hints& hints,
                                 const RunLookup& runs);

}  // namespace dmremap::discovery
