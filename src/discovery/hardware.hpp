// SPDX-License-Identifier: GPL-2.0-or-later
// What a device's hardware says of itself, as texts for the fingerprint on the spare. It is learnt
// from /sys and udev's database, and the device is not opened. hardware_names.hpp gives the same
// names with their types, for the rules that compare them.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

struct udev_device;

namespace dmremap::discovery {

// A text is empty if it is not known. A partition has its disk's wwn, serial and model;
// device-mapper and md devices have their UUID as serial.
struct Hardware {
  std::string wwn;  // as normal_wwn writes it
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

// What udev's database has of one device, looked up once for several properties, and not before the
// first is asked for. Not thread-safe.
class UdevRecord {
 public:
  explicit UdevRecord(dev_t device) : number_(device) {}
  ~UdevRecord();
  UdevRecord(const UdevRecord&) = delete;
  UdevRecord& operator=(const UdevRecord&) = delete;

  // Empty if it has no such property, or udev does not run.
  [[nodiscard]] std::string property(const char* key);

 private:
  dev_t number_;
  bool was_looked_up_ = false;
  udev_device* device_ = nullptr;
};

// Reads the serial number in SCSI vital product data page 80 of a disk, whose directory in /sys is
// given. Empty if there is none.
[[nodiscard]] std::string serial_of_page_80(const std::string& disk);

// Returns what udev's database has of a device under one key (ID_SERIAL_SHORT, say); empty if it
// has nothing or udev does not run. Thread-safe.
[[nodiscard]] std::string udev_property(dev_t device, const char* key);

// Brings into one form what udev and /sys write differently: lower case, without the designator's
// name
// ("0x5000..." and "naa.5000..." are one disk; the designators are those of the SCSI device
// identification page, 83h). Returns an empty text for what is no world-wide name (t10.).
[[nodiscard]] std::string normal_wwn(std::string_view text);

}  // namespace dmremap::discovery
