// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/units.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Device nodes on which a set may lie, sorted: disks, partitions, device-mapper and md devices,
// loop devices that have a file. Not: memory (ram, zram), optical and floppy drives, hidden paths,
// and whatever has no size. `sys` and `dev` are where those trees are mounted. Any thread.
[[nodiscard]] std::vector<std::string> block_devices(const std::string& sys = "/sys",
                                                     const std::string& dev = "/dev");

// Whether a device that nobody named is worth being read when a device of this size with these
// facts is looked for: it has the size, or shows one of its hardware names. A failing disk may take
// a minute for each sector that need not be read. Opens it, reads nothing of it. Any thread.
[[nodiscard]] bool may_be_device(const std::string& path, SectorCount size,
                                 const std::vector<format::Fact>& facts);

}  // namespace dmremap::discovery
