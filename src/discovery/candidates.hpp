// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace dmremap::discovery {

// Device nodes on which a set may lie, sorted: disks, partitions, device-mapper and md devices,
// loop devices that have a file. Not: memory (ram, zram), optical and floppy drives, hidden paths,
// and whatever has no size. `sys` and `dev` are where those trees are mounted. Any thread.
[[nodiscard]] std::vector<std::string> block_devices(const std::string& sys = "/sys",
                                                     const std::string& dev = "/dev");

}  // namespace dmremap::discovery
