// SPDX-License-Identifier: GPL-2.0-or-later
// Serving a set in the background: the caller's process waits until I/O is served, or has failed.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "daemon/set_daemon.hpp"

namespace dmremap::daemon {

// The result of a start in the background, in both processes. In the child, which returns when the
// set has ended, `ended` is how it ended. In the parent `served` is the report of the child.
struct BackgroundStart {
  bool is_child = false;
  Result<control::StartReport> served;
  Result<void> ended;
};

// Forks. Call it while the process has one thread. The child has a session of its own, no terminal,
// and writes its log to the runtime directory.
BackgroundStart start_in_background(const StartOptions& options,
                                    const control::RuntimeDir& runtime);

}  // namespace dmremap::daemon
