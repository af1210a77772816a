// SPDX-License-Identifier: GPL-2.0-or-later
// Lists the device nodes that are worth a look when a set or one of its devices is searched for.
// The list comes from /sys/class/block (the kernel's Documentation/ABI/stable/sysfs-block), so no
// device is opened for it.
#pragma once

#include <string>
#include <vector>

#include "base/units.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Returns the paths of the device nodes on which a set may lie, sorted: disks, partitions,
// device-mapper and md devices, and loop devices that have a file. Left out are memory (ram, zram),
// optical and floppy drives, the hidden paths of multipath NVMe, and devices without a size. `sys`
// and `dev` are where those trees are mounted. What cannot be read there is left out; there is no
// error. Thread-safe.
[[nodiscard]] std::vector<std::string> block_devices(const std::string& sys = "/sys",
                                                     const std::string& dev = "/dev");

// Returns true if a device that nobody named is worth being read when a device of this size with
// these facts is looked for: it has the size, or shows one of the hardware names. A failing disk
// may take a minute for each sector that need not be read. The device is opened, and nothing is
// read from it. One that cannot be opened is not worth it. Thread-safe.
[[nodiscard]] bool may_be_device(const std::string& path, SectorCount size,
                                 const std::vector<format::Fact>& facts);

}  // namespace dmremap::discovery
