// SPDX-License-Identifier: GPL-2.0-or-later
// Which of the devices that were looked at may be the main of a set, and what each shows. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "discovery/device_look.hpp"
#include "discovery/identity.hpp"
#include "discovery/main_choice.hpp"
#include "discovery/views.hpp"

namespace dmremap::discovery {

// A place where main may be. `named`: by the user, or main was last seen there; else it is one of
// all block devices, and is read only if it has main's size, or shows one of its disk's names.
struct MainPlace {
  std::string path;
  bool named = false;
};

// What main is looked for by.
struct WantedMain {
  RecordedMain recorded;
  Beneath spare_beneath;
  // What the user says is main.
  std::string accepted_path;
};

// Devices of `places` whose identity must be read, each once, in that order: not the spare, nor
// what lies below or above it. All of `places` are in `seen`.
[[nodiscard]] std::vector<std::string> mains_to_identify(const std::vector<MainPlace>& places,
                                                         const CandidateMap& seen,
                                                         const WantedMain& wanted);

// With what was read of them. Those of which nothing could be learnt are left out.
[[nodiscard]] std::vector<MainCandidate> main_candidates(const std::vector<MainPlace>& places,
                                                         const CandidateMap& seen,
                                                         const WantedMain& wanted,
                                                         const SharedFacts& shared);

}  // namespace dmremap::discovery
