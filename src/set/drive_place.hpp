// SPDX-License-Identifier: GPL-2.0-or-later
// Where in the machine main lies: the drive below it, what hangs beside that drive, and what kind
// of medium it is. From /sys alone; no device is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/units.hpp"
#include "health/risk.hpp"

namespace dmremap::set {

struct DrivePlace {
  std::string node;       // of the whole disk, "/dev/sda"; empty: main is no block device
  std::string directory;  // of it in sysfs
  SectorCount size;       // of it
  Sector main_first;      // where main begins on it, if main is a partition
  bool behind_usb = false;
  bool alone_behind_bridge = false;  // no other disk hangs on the same USB device
  health::Medium medium = health::Medium::unknown;
  std::optional<std::uint64_t> kernel_timeout_s;  // of a command; empty: the driver has none
};

// `path` is main. `sys` is where sysfs is mounted.
[[nodiscard]] DrivePlace drive_of(const std::string& path, const std::string& sys = "/sys");
// The same for a block device by its number.
[[nodiscard]] DrivePlace drive_of(dev_t device, const std::string& sys);

// Ranges of the whole disk as ranges of a main of `size` sectors that begins at `first` on it.
[[nodiscard]] std::vector<SectorRange> on_main(std::span<const SectorRange> ranges, Sector first,
                                               SectorCount size);

}  // namespace dmremap::set
