// SPDX-License-Identifier: GPL-2.0-or-later
// Runs tasks that wait for devices, several at a time, and does not wait for a device that hangs.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace dmremap::os {

// How long a task may stand still before it is left behind: longer than the 7 to 60 s that a
// failing drive takes over one bad sector, because such a drive does answer.
inline constexpr std::chrono::seconds kTaskPatience{90};

struct ParallelLimits {
  // Tasks that run at the same time. They wait for devices and not for a processor, so there may be
  // more of them than processors.
  std::size_t threads = 16;
  // Counted from when the task last ran. It runs whenever a device has answered one of its
  // requests, so a slow device may take as long as it needs, and one that is silent may not.
  std::chrono::nanoseconds patience = kTaskPatience;
};

// Runs the tasks and returns for each whether it ended. A task that did not is left behind: its
// thread goes on when the device answers, perhaps after the caller is gone, so a task must own all
// that it touches (shared with the caller, who looks at it only if the task ended). The tasks that
// wait for its thread get another one. A process whose threads hang in the kernel ends only when
// the device lets go of them.
//
// A task must not throw. Several calls at once are fine.
[[nodiscard]] std::vector<bool> run_parallel(std::vector<std::function<void()>> tasks,
                                             const ParallelLimits& limits = {});

}  // namespace dmremap::os
