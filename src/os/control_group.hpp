// SPDX-License-Identifier: GPL-2.0-or-later
// The control group of a process (cgroups(7)): systemd ends a session or a service by ending all
// that are in its group, and asks nobody.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace dmremap::os {

// Moves this process with all its threads into the control group of another one, in which it stays
// when the session or the service that it was started by ends. Does nothing where it is there, or
// where the machine has no such groups. Errors: permission, io.
[[nodiscard]] Result<void> join_control_group_of(pid_t pid);

// By what /proc/PID/cgroup says: of each hierarchy by which systemd knows processes, its directory
// below /sys/fs/cgroup, and the group in it. Pure.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> control_groups_in(
    const std::string& text);

}  // namespace dmremap::os
