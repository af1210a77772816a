// SPDX-License-Identifier: GPL-2.0-or-later
// What a device's hardware says of itself, as texts for the fingerprint on the spare. It is learnt
// from /sys and udev's database, and the device is not opened. hardware_names.hpp gives the same
// names with their types, for the rules that compare them.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace dmremap::discovery {

// A text is empty if it is not known. A partition has its disk's wwn, serial and model;
// device-mapper and md devices have their UUID as serial.
struct Hardware {
  std::string wwn;           // as normal_wwn writes it
  std::string wwn_as_shown;  // by the kernel or udev, with the name of its type
  std::string serial;
  std::string model;
  std::string part_uuid;  // of a partition, by its table
};

// Reads /sys, and udev's database for what /sys lacks. The order matters: /sys is also there in
// containers and early in the boot, and the two do not always name a disk alike (the serial of a
// USB bridge is not its disk's), but one disk must give one answer everywhere. There is no error.
// Thread-safe.
[[nodiscard]] Hardware hardware_of(dev_t device);
// Reads /sys alone; `sys` is where it is mounted.
[[nodiscard]] Hardware hardware_in_sysfs(dev_t device, const std::string& sys = "/sys");

// Returns what udev's database has of a device under one key (ID_SERIAL_SHORT, say); empty if it
// has nothing or udev does not run. Thread-safe.
[[nodiscard]] std::string udev_property(dev_t device, const char* key);

// Brings into one form what udev and /sys write differently: lower case, without the designator's
// name
// ("0x5000..." and "naa.5000..." are one disk; the designators are those of the SCSI device
// identification page, 83h). Returns an empty text for what is no world-wide name (t10.).
[[nodiscard]] std::string normal_wwn(std::string_view text);

}  // namespace dmremap::discovery
