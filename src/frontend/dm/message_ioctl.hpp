// SPDX-License-Identifier: GPL-2.0-or-later
// Messages to a device-mapper device, by the kernel's own interface (linux/dm-ioctl.h).
#pragma once

#include <string>

#include "base/result.hpp"

namespace dmremap::dm {

// One of the two: a name can be changed by anyone, a UUID stays.
struct MessageReceiver {
  std::string name{};
  std::string uuid{};
};

// Sends `message` to the target at sector 0 of the live table of this device, and
// returns its answer, empty if there was none. Needs CAP_SYS_ADMIN. ErrorCode::protocol if the
// target speaks another protocol or has another table, ErrorCode::no_such_device if there is no
// such device.
[[nodiscard]] Result<std::string> send_message(const MessageReceiver& to,
                                               const std::string& message);

}  // namespace dmremap::dm
