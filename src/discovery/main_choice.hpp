// SPDX-License-Identifier: GPL-2.0-or-later
// Chooses main among the devices that are present (promise 8: the right one or none). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/identity.hpp"

namespace dmremap::discovery {

struct MainCandidate {
  DeviceFacts device;
  IdentityVerdict verdict;
  bool named = false;     // the user named it, or main was last seen there
  bool accepted = false;  // the user says that it is main (--accept-main)
};

// Returns the index of main. The one device that the user accepts now is taken unless another one
// is proved to be main (wrong_main). Else the one that is proved is taken, else the one that the
// user accepted at an earlier start. Two views of one device (a loop device and its file) count as
// one, and the upper one is taken. `where`: the name of the set, for messages. Errors: ambiguous;
// main_unproven or wrong_main, naming every candidate and what agrees and differs; missing_device.
[[nodiscard]] Result<std::size_t> choose_main(const std::vector<MainCandidate>& candidates,
                                              const std::string& where);

// What the user has accepted on the command line.
struct MainConsent {
  bool accepted = false;          // --accept-main names it
  bool accepted_changed = false;  // --accept-main-changed
};
// Checks whether the main that was chosen may be used with this consent. A user who accepts that a
// device is main does not thereby accept that its contents changed. Errors: those of choose_main;
// block_size, main_resized, main_changed.
[[nodiscard]] Result<void> check_main(const MainCandidate& main, const MainConsent& consent);

}  // namespace dmremap::discovery
