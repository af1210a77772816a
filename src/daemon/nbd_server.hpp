// SPDX-License-Identifier: GPL-2.0-or-later
// Serving a set by NBD: nbdkit with our plugin (src/plugin/), a process of its own.
//
// nbdkit's listening socket is a Unix socket. It may outlive a process that was killed; a start
// clears it away if nobody listens there any more.
#pragma once

#include <string>

#include "base/result.hpp"
#include "daemon/set_daemon.hpp"

namespace dmremap::daemon {

struct NbdOptions {
  StartOptions serve;  // its exports and mount path mean nothing
  std::string socket;  // empty: in the runtime directory
  bool foreground = false;
};

// Errors: not_supported if nbdkit or the plugin is not there.
Result<void> check_nbd_server();

// In the background: returns what is served once I/O is served. Errors: as run_daemon();
// not_supported; device_in_use or usage for the socket; io if nbdkit does not start.
Result<control::StartReport> start_nbd_server(const NbdOptions& options,
                                              const control::RuntimeDir& runtime);

// In the foreground: returns when the set has been stopped. The signals that end this process end
// the set; so does its death.
Result<void> run_nbd_server(const NbdOptions& options, const control::RuntimeDir& runtime,
                            StartObserver& observer);

}  // namespace dmremap::daemon
