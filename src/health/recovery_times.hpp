// SPDX-License-Identifier: GPL-2.0-or-later
// How long a drive tries to read a bad sector, against how long the kernel waits for it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "health/smart.hpp"

namespace dmremap::health {

// Without SCT ERC a drive may try for minutes; a kernel that waits longer than this does not reset
// it meanwhile (mdadm's udev-md-raid-safe-timeouts.rules).
inline constexpr std::uint64_t kSafeKernelTimeoutS = 180;

// What would help, and why, on one line; empty: nothing to say, or not enough is known. `node` is
// the drive's device node. Main holds the only copy of its data: a drive that gives up early gives
// up what it could have read, one that the kernel resets looks as if it had vanished, and a kernel
// that waits for long keeps silent about a dead drive for as long.
[[nodiscard]] std::string recovery_advice(const SmartReading& drive,
                                          std::optional<std::uint64_t> kernel_timeout_s,
                                          const std::string& node);

}  // namespace dmremap::health
