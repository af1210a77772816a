// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/drive_place.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::set {

namespace {

using health::Medium;

std::string resolved(const std::string& path) {
  std::error_code error;
  const std::filesystem::path out = std::filesystem::canonical(path, error);
  return error ? std::string() : out.string();
}

std::uint64_t number_in(const std::string& file) {
  return parse_number(os::read_attribute(file)).value_or(0);
}

// The line KEY=... of a uevent file.
std::string uevent_value(const std::string& directory, std::string_view key) {
  std::istringstream lines(os::read_attribute(directory + "/uevent"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == '=') {
      return line.substr(key.size() + 1);
    }
  }
  return {};
}

// ".../usb2/2-1" of ".../usb2/2-1/2-1:1.0/host6/.../block/sdb": the USB device before the disk.
// Empty if there is none.
std::string usb_device_of(const std::string& directory) {
  const std::size_t usb = directory.find("/usb");
  const std::size_t host = directory.find("/host", usb == std::string::npos ? 0 : usb);
  if (usb == std::string::npos || host == std::string::npos) return {};
  const std::size_t interface = directory.rfind('/', host - 1);
  return directory.substr(0, interface);
}

std::size_t disks_below(const std::string& usb_device, const std::string& sys) {
  const std::string disks = sys + "/block";
  const std::string below = usb_device + "/";
  std::size_t out = 0;
  for (const std::string& name : os::names_in(disks)) {
    if (resolved(fmt::format("{}/{}", disks, name)).starts_with(below)) ++out;
  }
  return out;
}

Medium medium_of(const std::string& name, const std::string& directory) {
  if (name.starts_with("mmcblk")) return Medium::card;
  if (name.starts_with("loop")) return Medium::image;
  // What a host or a mapping makes of several drives, or of a file, it does not say.
  for (const std::string_view made : {"vd", "xvd", "dm-", "md", "nbd", "ram", "zram", "rbd"}) {
    if (name.starts_with(made)) return Medium::unknown;
  }
  const std::string rotational = os::read_attribute(directory + "/queue/rotational");
  if (rotational.empty()) return Medium::unknown;
  return rotational == "0" ? Medium::solid_state : Medium::disk;
}

}  // namespace

DrivePlace drive_of(dev_t device, const std::string& sys) {
  std::string directory = resolved(os::sysfs_directory_of(device, sys));
  if (directory.empty()) return {};
  DrivePlace out;
  if (::access((directory + "/partition").c_str(), F_OK) == 0) {
    out.main_first = {number_in(directory + "/start")};
    directory = directory.substr(0, directory.rfind('/'));
  }
  const std::string name = uevent_value(directory, "DEVNAME");
  if (name.empty()) return {};
  out.node = "/dev/" + name;
  out.directory = directory;
  out.size = {number_in(directory + "/size")};
  const std::string bridge = usb_device_of(directory);
  out.behind_usb = !bridge.empty();
  out.alone_behind_bridge = out.behind_usb && disks_below(bridge, sys) == 1;
  out.medium = medium_of(name, directory);
  if (const auto timeout = parse_number(os::read_attribute(directory + "/device/timeout"))) {
    out.kernel_timeout_s = *timeout;
  }
  return out;
}

DrivePlace drive_of(const std::string& path, const std::string& sys) {
  const auto storage = os::storage_of(path);
  if (storage && storage->is_block_device()) return drive_of(storage->device, sys);
  DrivePlace out;
  if (storage) out.medium = Medium::image;
  return out;
}

std::vector<SectorRange> on_main(std::span<const SectorRange> ranges, Sector first,
                                 SectorCount size) {
  std::vector<SectorRange> out;
  for (const SectorRange& range : ranges) {
    const SectorRange part = range.intersect({first, size});
    if (!part.empty()) out.push_back({{part.first.value - first.value}, part.count});
  }
  return out;
}

}  // namespace dmremap::set
