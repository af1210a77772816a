// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/recovery_times.hpp"

#include <fmt/format.h>

namespace dmremap::health {

namespace {

std::string longer_timeout(const std::string& node) {
  const std::string name = node.substr(node.rfind('/') + 1);
  return fmt::format("`echo {} > /sys/block/{}/device/timeout`", kSafeKernelTimeoutS, name);
}

}  // namespace

std::string recovery_advice(const SmartReading& drive,
                            std::optional<std::uint64_t> kernel_timeout_s,
                            const std::string& node) {
  if (drive.state != SmartState::read || !kernel_timeout_s) return {};
  const bool waits = *kernel_timeout_s >= kSafeKernelTimeoutS;
  if (drive.read_recovery && drive.read_recovery->enabled) {
    const double gives_up_s = drive.read_recovery->tenths_of_second / 10.0;
    if (gives_up_s >= static_cast<double>(*kernel_timeout_s)) {
      return fmt::format(
          "the drive tries a bad sector for {:.1f} s and the kernel resets it after {} s: {}",
          gives_up_s, *kernel_timeout_s, longer_timeout(node));
    }
    return fmt::format(
        "the drive gives a bad sector up after {:.1f} s (SCT ERC); it may read more with "
        "`smartctl -l scterc,0,0 {}`{}",
        gives_up_s, node, waits ? "" : " after " + longer_timeout(node));
  }
  if (waits) return {};
  return fmt::format(
      "the drive may try a bad sector for longer than the kernel waits ({} s), and is reset then, "
      "which looks as if it had vanished: {}",
      *kernel_timeout_s, longer_timeout(node));
}

}  // namespace dmremap::health
