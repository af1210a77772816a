// SPDX-License-Identifier: GPL-2.0-or-later
// At boot the disks of a set appear when their drivers have found them, in any order.
#pragma once

#include <chrono>

#include "base/result.hpp"
#include "claims/claim.hpp"
#include "discovery/hints.hpp"

namespace dmremap::cli {

// Waits until the spare of the claimed set and its main are there, and says on stderr, and to the
// service manager, what is waited for. While the spare is awaited main is held, so that nobody
// takes it who does not ask udev. Returns at once for any other reason why the set cannot be
// started: the start tells that. Error missing_device: not within `patience`.
//
// The signals that end a daemon are blocked when it returns, and end the process while it waits.
// Call it while the process has one thread.
[[nodiscard]] Result<void> wait_for_devices(const claims::Claim& claim,
                                            const discovery::Hints& hints,
                                            std::chrono::seconds patience);

}  // namespace dmremap::cli
