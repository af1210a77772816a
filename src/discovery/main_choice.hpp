// SPDX-License-Identifier: GPL-2.0-or-later
// Which of the devices that are there is main (promise 8: the right one or none). Pure.
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
  bool named = false;     // by the user, or main was last seen there
  bool accepted = false;  // the user says that it is main (--accept-main)
};

// Index of main. One that is proved goes before one that the user once said; then there is the one
// that the user says now. Two views of one device (a loop device and its file) are one; the upper
// one is taken. `where`: the name of the set, for messages. Errors: ambiguous; main_unproven or
// wrong_main, naming every candidate and what agrees and differs; missing_device.
[[nodiscard]] Result<std::size_t> choose_main(const std::vector<MainCandidate>& candidates,
                                              const std::string& where);

struct MainConsent {
  bool accepted = false;          // --accept-main names it
  bool accepted_changed = false;  // --accept-main-changed
};
// Whether the main that was chosen may be used with this consent. To accept which device main is
// never accepts that its contents changed. Errors: those of choose_main; block_size, main_resized,
// main_changed.
[[nodiscard]] Result<void> check_main(const MainCandidate& main, const MainConsent& consent);

}  // namespace dmremap::discovery
