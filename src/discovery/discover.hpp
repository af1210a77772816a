// SPDX-License-Identifier: GPL-2.0-or-later
// Finds all sets on this host, and for each whether a start would take it, or why not. Devices are
// only read: nothing is held or written, and no path is identity (promise 8). A start checks all of
// it again on devices that it holds.
#pragma once

#include <chrono>
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
  // The problem is that one of its devices may be one that did not answer.
  bool lacks_answer = false;

  [[nodiscard]] bool whole() const { return !running && !problem; }
};

struct Discovery {
  std::vector<DiscoveredSet> sets;  // by name
  // Devices with damaged metadata, or that cannot be looked at.
  std::vector<Error> others;
  std::vector<Error> silent;  // timeout: devices that did not answer in time, and may hold a set
};

// How long a search over all devices waits for the next answer of one of them. A disk that works
// answers by then, also one that sleeps and takes 10 s or so until it turns, or one that gives a
// bad sector up after 7 s (SCT ERC). A failing disk without such a limit may take a minute over a
// bad sector, and is taken for one that hangs: who needs it looks again, with os::kTaskPatience.
inline constexpr std::chrono::seconds kSearchPatience{15};

// How to look up what this host knows about the runs of a set.
struct RunLookup {
  // True if a process serves that set now; its main is not read then.
  std::function<bool(const std::string& name, const Uuid& uuid)> is_running;
  // The file in which a killed run of that name left its evidence (run_memory.hpp); empty if there
  // is none.
  std::function<std::string(const std::string& name)> memory_path;
};

// Looks at these devices; if `paths` is empty, at every block device and where sets were last seen.
// `patience`: for each device, counted from its last answer; all are waited for at the same time.
[[nodiscard]] Discovery discover(const std::vector<std::string>& paths, const Hints& hints,
                                 const RunLookup& runs,
                                 std::chrono::nanoseconds patience = kSearchPatience);

}  // namespace dmremap::discovery
