// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/recovery_times.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dmremap::health {

namespace {

constexpr std::uint32_t kTenths = 10;  // of a second, in one
constexpr std::uint32_t kMsInTenth = 100;

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

RecoveryTimes bounded_times(const RecoveryTimes& former, std::uint32_t deadline_ms,
                            std::uint32_t tries) {
  RecoveryTimes out = former;
  std::uint64_t kernel_s = kSafeKernelTimeoutS;
  if (out.read) {
    const std::uint32_t limit =
        std::max<std::uint32_t>(1, deadline_ms / kMsInTenth / std::max<std::uint32_t>(1, tries));
    if (!out.read->enabled || out.read->tenths_of_second > limit) out.read = {true, limit};
    kernel_s = (2 * out.read->tenths_of_second + kTenths - 1) / kTenths;
  }
  if (out.kernel_timeout_s) out.kernel_timeout_s = std::max(*out.kernel_timeout_s, kernel_s);
  return out;
}

RecoveryTimes lifted_times(const RecoveryTimes& former) {
  RecoveryTimes out = former;
  if (out.read) out.read = ErrorRecovery{};
  if (out.kernel_timeout_s) {
    out.kernel_timeout_s = std::max(*out.kernel_timeout_s, kSafeKernelTimeoutS);
  }
  return out;
}

}  // namespace dmremap::health
