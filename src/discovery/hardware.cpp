// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hardware.hpp"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>

#include <libudev.h>

#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

namespace {

struct UdevDeleter {
  void operator()(udev* context) const { ::udev_unref(context); }
  void operator()(udev_device* device) const { ::udev_device_unref(device); }
};

std::string first_property(udev_device* device, std::initializer_list<const char*> keys) {
  for (const char* const key : keys) {
    const char* const value = ::udev_device_get_property_value(device, key);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

using UdevDevice = std::unique_ptr<udev_device, UdevDeleter>;

// Null: udev does not know it.
UdevDevice find_in_udev(dev_t device) {
  const std::unique_ptr<udev, UdevDeleter> context(::udev_new());
  if (context == nullptr) return nullptr;
  return UdevDevice(::udev_device_new_from_devnum(context.get(), 'b', device));
}

Hardware hardware_in_udev(dev_t device) {
  const UdevDevice known = find_in_udev(device);
  if (known == nullptr) return {};
  Hardware found;
  found.wwn = normal_wwn(first_property(known.get(), {"ID_WWN_WITH_EXTENSION", "ID_WWN"}));
  // For SAS disks ID_SERIAL is the name of page 83; ID_SCSI_SERIAL is what stands on the label.
  found.serial = first_property(
      known.get(), {"ID_SCSI_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL", "DM_UUID", "MD_UUID"});
  found.model = first_property(known.get(), {"ID_MODEL"});
  found.part_uuid = first_property(known.get(), {"ID_PART_ENTRY_UUID", "PARTUUID"});
  return found;
}

std::string first_attribute(const std::string& directory,
                            std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    std::string value = os::read_attribute(directory + "/" + name);
    if (!value.empty()) return value;
  }
  return {};
}

// SCSI vital product data, page 80h: a header of four bytes, the last two the length, then the
// serial number in ASCII (SPC-4, 7.8.15).
std::string serial_in_page_80(const std::string& path) {
  const std::string page = os::read_attribute(path);
  const std::size_t start = page.find_first_of('\x80');
  if (start == std::string::npos || page.size() < start + 4) return {};
  const std::string serial = page.substr(start + 3);
  const auto first = serial.find_first_not_of(' ');
  return first == std::string::npos ? std::string() : serial.substr(first);
}

void fill(std::string& known, std::string&& other) {
  if (known.empty()) known = std::move(other);
}

}  // namespace

Hardware hardware_in_sysfs(dev_t device, const std::string& sys) {
  const os::KernelViews views{sys, "/proc"};
  const std::string disk = os::sysfs_directory_of(os::whole_disk_of(device, views), sys);
  Hardware found;
  found.wwn = normal_wwn(first_attribute(disk, {"wwid", "device/wwid"}));
  found.serial = first_attribute(disk, {"serial", "device/serial", "dm/uuid", "md/uuid"});
  if (found.serial.empty()) found.serial = serial_of_page_80(disk);
  found.model = first_attribute(disk, {"device/model"});
  return found;
}

Hardware hardware_of(dev_t device) {
  Hardware found = hardware_in_sysfs(device);
  Hardware other = hardware_in_udev(device);
  fill(found.wwn, std::move(other.wwn));
  fill(found.serial, std::move(other.serial));
  fill(found.model, std::move(other.model));
  fill(found.part_uuid, std::move(other.part_uuid));
  return found;
}

UdevRecord::~UdevRecord() {
  if (device_ != nullptr) ::udev_device_unref(device_);
}

std::string UdevRecord::property(const char* key) {
  if (!std::exchange(was_looked_up_, true)) device_ = find_in_udev(number_).release();
  return device_ == nullptr ? std::string() : first_property(device_, {key});
}

std::string serial_of_page_80(const std::string& disk) {
  return serial_in_page_80(disk + "/device/vpd_pg80");
}

std::string udev_property(dev_t device, const char* key) {
  return UdevRecord(device).property(key);
}

std::string normal_wwn(std::string_view text) {
  std::string wwn;
  for (const char c : text) {
    wwn.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (wwn.starts_with("t10.")) return {};
  for (const std::string_view designator : {"0x", "naa.", "eui.", "uuid.", "nvme."}) {
    if (wwn.starts_with(designator)) return wwn.substr(designator.size());
  }
  return wwn;
}

}  // namespace dmremap::discovery
