// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace dmremap::discovery {

// Empty: not known. A partition has its disk's wwn, serial and model; device-mapper and md devices
// have their UUID as serial.
struct Hardware {
  std::string wwn;
  std::string wwn_as_shown;  // with the name of its type
  std::string serial;
  std::string model;
  std::string part_uuid;
};

// From /sys, and from udev's database what /sys lacks. In this order because /sys is there in
// containers and early boot too, and the two do not always name a disk alike (the serial of a USB
// bridge is not its disk's): one disk must give one answer everywhere. Any thread.
[[nodiscard]] Hardware hardware_of(dev_t device);
// From /sys alone; `sys` is where it is mounted.
[[nodiscard]] Hardware hardware_in_sysfs(dev_t device, const std::string& sys = "/sys");

// What udev's database has of a device under one key; empty: nothing.
[[nodiscard]] std::string udev_property(dev_t device, const char* key);

// One form for what udev and /sys write differently: lower case, without the designator's name
// ("0x5000..." and "naa.5000..." are one disk). Empty for what is no world-wide name (t10.).
[[nodiscard]] std::string normal_wwn(std::string_view text);

}  // namespace dmremap::discovery
