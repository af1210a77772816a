// SPDX-License-Identifier: GPL-2.0-or-later
// A place in the file tree at which a program mounts its own FUSE file: what is mounted there, and
// taking it down.
#pragma once

#include <string>

#include "base/result.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::os {

enum class MountState {
  none,   // no mount
  dead,   // a mount of this program's whose server is gone
  alive,  // a mount that answers, this program's or another's
};

// Asks nobody but the mount table.
[[nodiscard]] bool is_mounted(const std::string& path);
// `own_type` is that of this program's mounts, as the mount table has it ("fuse.NAME"). Asks the
// server of such a mount and waits for its answer. A mount of any other kind counts as alive: its
// server is not ours to ask, nor the mount ours to take down.
[[nodiscard]] MountState mount_state(const std::string& path, const std::string& own_type);

enum class Unmounting {
  if_unused,  // refused while anyone has the file open
  detached,   // gone from the tree at once; ends when the last one closes it
};

// Unmounts what is mounted at `name` in the directory that is held: as root by umount2(2), else by
// fusermount3(1). Errors: device_in_use without saying who; permission.
Result<void> unmount(const TrustedDirectory& directory, const std::string& name, Unmounting how);

}  // namespace dmremap::os
