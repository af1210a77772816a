// SPDX-License-Identifier: GPL-2.0-or-later
// A start that takes a set over from the process that serves it, whose users go on: the program of
// an earlier version is replaced by a newer one. The process that serves the root file system is
// not (decision 030).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::daemon {

// Finds the devices of the set, locks the memory of this process, and has the process that serves
// the set hand its device over and end (SetService::hand_over). From then on the users of the
// device wait, and this program and all that it reads may lie on it: what follows must look for no
// devices but those whose paths are returned, must read no file that is not in memory, and must not
// give up. `accept_main`: as in set::OpenOptions. Empty: no process serves the set, and nothing was
// done. Errors: those of the look for the devices, and of the other process: that one goes on.
[[nodiscard]] Result<std::optional<std::vector<std::string>>> take_from_running(
    const std::string& name_or_uuid, const std::string& accept_main,
    const control::RuntimeDir& runtime);

// A runtime directory like this one, in which what is known of the set's places is in memory too.
[[nodiscard]] control::RuntimeDir in_memory(const control::RuntimeDir& runtime);

}  // namespace dmremap::daemon
