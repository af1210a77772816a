// SPDX-License-Identifier: GPL-2.0-or-later
// Serves a set by NBD: nbdkit with our plugin (src/plugin/), in a process of its own.
//
// nbdkit's listening socket is a Unix socket. It may outlive a process that was killed; a start
// removes it if no process listens there any more.
#pragma once

#include <string>

#include "base/result.hpp"
#include "daemon/set_daemon.hpp"

namespace dmremap::daemon {

// How a set is served over NBD.
struct NbdOptions {
  StartOptions serve;  // its exports and mount path are not used
  std::string socket;  // empty: in the runtime directory
  bool foreground = false;
};

// Errors: not_supported if nbdkit or the plugin is not there.
Result<void> check_nbd_server();

// Starts a server in the background. Returns its report once I/O is served. Errors: as
// run_daemon(); not_supported; device_in_use or usage for the socket; io if nbdkit does not start.
Result<control::StartReport> start_nbd_server(const NbdOptions& options,
                                              const control::RuntimeDir& runtime);

// Runs a server in the foreground; returns when the set has been stopped. The signals that end this
// process end the set, and so does its death.
Result<void> run_nbd_server(const NbdOptions& options, const control::RuntimeDir& runtime,
                            StartObserver& observer);

}  // namespace dmremap::daemon
