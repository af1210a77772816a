// SPDX-License-Identifier: GPL-2.0-or-later
// A start that takes a set over from the process that serves it, whose users go on: the program of
// an earlier version is replaced by a newer one. The process that serves the root file system is
// not (decision 030).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::daemon {

enum class Replaced {
  nobody,           // no process serves the set, and nothing was done
  handed_over,      // the users of the device wait for this process
  ended_by_itself,  // before it had handed the set over: it was stopped, or died
};

struct Replacement {
  Replaced what = Replaced::nobody;
  std::vector<std::string> devices;  // of the set; empty: nobody serves it
  std::string warning;               // for the user; empty if all went as it should
};

// Finds the devices of the set, locks the memory of this process, and has the process that serves
// the set hand its device over and end (SetService::hand_over). Once it has, the users of the
// device wait, and this program and all that it reads may lie on it: what follows must look for no
// devices but those whose paths are returned, must read no file that is not in memory, and must not
// give up. After a process that has ended by itself users may wait too, as they do if it was
// killed. `accept_main`: as in set::OpenOptions. Errors: those of the look for the devices, and of
// the other process, which goes on; timeout: it has not said whether it does.
[[nodiscard]] Result<Replacement> take_from_running(const std::string& name_or_uuid,
                                                    const std::string& accept_main,
                                                    const control::RuntimeDir& runtime);

// A runtime directory like this one, in which what is known of the set's places is in memory too.
[[nodiscard]] control::RuntimeDir in_memory(const control::RuntimeDir& runtime);

}  // namespace dmremap::daemon
