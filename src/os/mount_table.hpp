// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's lists of mounts and of swap space (proc(5)), read by libmount. A file that is not
// there is an empty list; lines that make no sense are left out.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace dmremap::os {

struct Mount {
  dev_t device = 0;
  std::string mount_point;
  std::string fs_type;
  std::string source;
};

// The mounts of this process, in the order in which they were mounted.
[[nodiscard]] std::vector<Mount> read_mounts(const std::string& mountinfo = "/proc/self/mountinfo");

// The block devices and files that are swap space.
[[nodiscard]] std::vector<std::string> read_swaps(const std::string& swaps = "/proc/swaps");

}  // namespace dmremap::os
