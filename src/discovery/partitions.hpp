// SPDX-License-Identifier: GPL-2.0-or-later
// The partitions of a disk and the names of file systems, as the kernel and udev know them: no
// device is opened, and no sleeping disk is woken. For people, never for identity.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/units.hpp"

namespace dmremap::discovery {

struct KnownPartition {
  unsigned number = 0;
  SectorRange range;  // of its disk
  dev_t device = 0;
};

// In order of address. None if the kernel has not looked for them, or if the device is no disk.
// `sys` is where sysfs is mounted. There is no error.
[[nodiscard]] std::vector<KnownPartition> partitions_of(dev_t disk,
                                                        const std::string& sys = "/sys");

// All links that udev has made to a device, sorted: by its name (/dev/mapper/NAME, /dev/VG/LV), and
// by what lies on it. Thread-safe.
[[nodiscard]] std::vector<std::string> links_in_udev(dev_t device);

// Those by which it names what lies on a device or a partition, sorted: by the UUID and label
// of its file system, by the UUID and name of the partition. Thread-safe.
[[nodiscard]] std::vector<std::string> contents_links_in_udev(dev_t device);

// `ext4 "backup"`, or the type alone; empty if udev knows nothing of a file system there.
// Thread-safe.
[[nodiscard]] std::string file_system_in_udev(dev_t device);

}  // namespace dmremap::discovery
