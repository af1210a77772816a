// SPDX-License-Identifier: GPL-2.0-or-later
// A place in the file tree at which a program mounts its own FUSE file: finds what is mounted
// there, and unmounts it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::os {

// The type of the file systems by which sets are served.
inline constexpr const char* kSetFileSystemType = "fuse.dm-remap";

enum class MountState {
  none,   // no mount
  dead,   // a mount of this program's whose server is gone
  alive,  // a mount that answers, this program's or another's
};

// Reads the mount table only; no server is asked.
[[nodiscard]] bool is_mounted(const std::string& path);
// The same, and it is the file of a set (kSetFileSystemType).
[[nodiscard]] bool is_set_file(const std::string& path);
// Says what is mounted at `path`. `own_type` is the type of this program's mounts in the mount
// table ("fuse.NAME"). The server of such a mount is asked, and its answer waited for. A mount of
// any other type counts as alive: this program may neither ask its server nor unmount it.
[[nodiscard]] MountState mount_state(const std::string& path, const std::string& own_type);

enum class UnmountMode {
  if_unused,  // refused while anyone has the file open
  detached,   // gone from the tree at once; ends when the last one closes it
};

// Unmounts the mount at `name` in the directory that is held: as root by umount2(2), else by
// fusermount3(1). Errors: device_in_use, without naming the user; permission.
Result<void> unmount(const TrustedDirectory& directory, const std::string& name, UnmountMode how);

}  // namespace dmremap::os
