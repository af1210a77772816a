// SPDX-License-Identifier: GPL-2.0-or-later
// Going into the background: the command returns when the disk is there, or with the error why not.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"

namespace dmremap::lab {

// Forks. In the parent: waits and gives the exit status, 0 once the child is ready, else the
// child's own (which has said why on stderr). In the child: nothing; it goes on. Call it before
// there are threads.
[[nodiscard]] std::optional<int> split_off();

// In the child: stdout and stderr go to `log_path` from now on, and the parent is told to return.
[[nodiscard]] Result<void> leave_terminal(const std::string& log_path);

}  // namespace dmremap::lab
