// SPDX-License-Identifier: GPL-2.0-or-later
// The place in the file tree where the disk appears: what is mounted there, and taking it down.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::fuse {

// Our file systems in /proc/mounts.
inline constexpr const char* kFileSystemType = "fuse.dm-remap";

enum class MountState {
  none,   // no mount
  dead,   // a mount of this program's whose server is gone
  alive,  // a mount that answers, ours or another's
};

// The path as the kernel names it. Only its directory is resolved: the last part may be a dead
// mount, which nothing can look at. The path as given where the directory is not there.
[[nodiscard]] std::string canonical(const std::string& path);

// Asks nobody but the mount table.
[[nodiscard]] bool is_mounted(const std::string& path);
// Asks a server of this program's that is there and waits for its answer. A mount of any other kind
// counts as alive, whatever it answers.
[[nodiscard]] MountState mount_state(const std::string& path);

enum class Unmounting {
  if_unused,  // refused while anyone has the file open
  detached,   // gone from the tree at once; ends when the last one closes it
};

// Unmounts what is mounted at `name` in the directory that is held: as root by umount2(2), else by
// fusermount3(1). Errors: device_in_use without saying who; permission.
Result<void> unmount(const os::TrustedDirectory& directory, const std::string& name,
                     Unmounting how);

}  // namespace dmremap::fuse
