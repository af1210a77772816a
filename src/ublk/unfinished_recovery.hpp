// SPDX-License-Identifier: GPL-2.0-or-later
// A recovery that its own server did not live to finish.
#pragma once

#include <chrono>

#include "base/result.hpp"
#include "ublk/control.hpp"

namespace dmremap::ublk {

// A recovery may begin only when every queue of the device has had a server that has died: Linux
// 6.12 follows a null pointer otherwise, and panics (ublk_queue_reinit). A server that is killed
// while it takes a device over leaves such queues, those that it had not come to yet. This fetches
// all tags of all queues, and ends without having served: queues that nobody had come to have had a
// server then, and the kernel refuses it for the others. So it does no harm to call it always, and
// to be killed in the middle of it.
//
// Waits until the last server's file is closed, `patience` at most. Errors: timeout; io.
[[nodiscard]] Result<void> finish_recovery_of_dead(const DeviceInfo& device,
                                                   std::chrono::milliseconds patience);

}  // namespace dmremap::ublk
