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

// What drive and kernel are set to; empty: it has no such setting.
struct RecoveryTimes {
  std::optional<ErrorRecovery> read;
  std::optional<ErrorRecovery> write;
  std::optional<std::uint64_t> kernel_timeout_s;

  bool operator==(const RecoveryTimes&) const = default;
};

// For users' reads, from what was set before: the drive gives a bad sector up so early that `tries`
// of them end within the deadline of a request, and the kernel waits for twice as long as the
// drive. If the drive cannot be told, the kernel waits for as long as such a drive may take. What
// is stricter already stays as it is.
[[nodiscard]] RecoveryTimes bounded_times(const RecoveryTimes& former, std::uint32_t deadline_ms,
                                          std::uint32_t tries);
// For reads of lost sectors, of which a long try is the last hope: the drive tries as long as it
// likes, and the kernel waits for it.
[[nodiscard]] RecoveryTimes lifted_times(const RecoveryTimes& former);

}  // namespace dmremap::health
