// SPDX-License-Identifier: GPL-2.0-or-later
// The place in the file tree where the disk appears: what is mounted there, and taking it down.
#pragma once

#include <string>

#include "base/result.hpp"

namespace dmremap::fuse {

enum class MountState {
  none,   // no mount
  dead,   // a FUSE mount whose server is gone
  alive,  // a mount that answers, ours or another's
};

// The path as the kernel names it. Only its directory is resolved: the last part may be a dead
// mount, which nothing can look at. The path as given where the directory is not there.
[[nodiscard]] std::string canonical(const std::string& path);

// Asks nobody but the mount table.
[[nodiscard]] bool is_mounted(const std::string& path);
// Asks a server that is there and waits for its answer.
[[nodiscard]] MountState mount_state(const std::string& path);

enum class Unmounting {
  if_unused,  // refused while anyone has the file open
  detached,   // gone from the tree at once; ends when the last one closes it
};

// As root by umount2(2), else by fusermount3(1). device_in_use without saying who; permission.
Result<void> unmount(const std::string& path, Unmounting how);

}  // namespace dmremap::fuse
