// SPDX-License-Identifier: GPL-2.0-or-later
// Selects the devices that may be the main of a set from all that were looked at. Pure, but for
// appearance_at().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "discovery/device_look.hpp"
#include "discovery/identity.hpp"
#include "discovery/main_choice.hpp"
#include "discovery/views.hpp"

namespace dmremap::discovery {

// A place where main may be. `named`: the user named it, or main was last seen there. Any other
// place is one of all block devices, and is read only if it has main's size or shows one of the
// names of main's disk.
struct MainPlace {
  std::string path;
  bool named = false;
};

// What is known about the main that is looked for.
struct WantedMain {
  RecordedMain recorded;
  StorageStack spare_beneath;
  // The device that the user says is main (--accept-main); may be empty.
  std::string accepted_path;
};

// What a device shows by the names of its hardware, before it is read.
enum class Appearance {
  main,     // one of main's names
  another,  // a name of a kind that main has, too, but none of main's
  unknown,
};
[[nodiscard]] Appearance appearance(const std::vector<format::Fact>& names,
                                    const std::vector<format::Fact>& recorded);
// The same of what lies at `path` now; `unknown` where nothing does. Thread-safe.
[[nodiscard]] Appearance appearance_at(const std::string& path, const RecordedMain& recorded);

// The devices of `places` whose identity must be read, each once, in that order. The spare and the
// devices below and above it are left out. All of `places` must be in `seen`.
[[nodiscard]] std::vector<std::string> mains_to_identify(const std::vector<MainPlace>& places,
                                                         const CandidateMap& seen,
                                                         const WantedMain& wanted);

// The same devices, with what was read of them and the verdict on each. Devices of which nothing
// could be read are left out.
[[nodiscard]] std::vector<MainCandidate> main_candidates(const std::vector<MainPlace>& places,
                                                         const CandidateMap& seen,
                                                         const WantedMain& wanted,
                                                         const SharedFacts& shared);

}  // namespace dmremap::discovery
