// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/partitions.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "discovery/hardware.hpp"
#include "os/sysfs.hpp"

namespace dmremap::discovery {

std::vector<KnownPartition> partitions_of(dev_t disk, const std::string& sys) {
  const std::string directory = os::sysfs_directory_of(disk, sys);
  std::vector<KnownPartition> out;
  for (const std::string& name : os::names_in(directory)) {
    const auto attribute = [&](const char* which) {
      return os::read_attribute(fmt::format("{}/{}/{}", directory, name, which));
    };
    const auto number = parse_number(attribute("partition"));
    const auto start = parse_number(attribute("start"));
    const auto size = parse_number(attribute("size"));
    if (!number || !start || !size || *size == 0) continue;
    out.push_back({static_cast<unsigned>(*number),
                   {{*start}, {*size}},
                   os::parse_device_number(attribute("dev")).value_or(0)});
  }
  std::ranges::sort(out, {}, [](const KnownPartition& one) { return one.range; });
  return out;
}

std::vector<std::string> links_in_udev(dev_t device) {
  std::istringstream links(udev_property(device, "DEVLINKS"));
  std::vector<std::string> out{std::istream_iterator<std::string>(links), {}};
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> contents_links_in_udev(dev_t device) {
  constexpr std::array<std::string_view, 4> kByContents{"/dev/disk/by-uuid/", "/dev/disk/by-label/",
                                                        "/dev/disk/by-partuuid/",
                                                        "/dev/disk/by-partlabel/"};
  std::vector<std::string> out = links_in_udev(device);
  std::erase_if(out, [&](const std::string& link) {
    return std::ranges::none_of(kByContents,
                                [&](std::string_view place) { return link.starts_with(place); });
  });
  return out;
}

std::string file_system_in_udev(dev_t device) {
  const std::string type = udev_property(device, "ID_FS_TYPE");
  if (type.empty()) return {};
  const std::string label = udev_property(device, "ID_FS_LABEL");
  return label.empty() ? type : fmt::format("{} \"{}\"", type, label);
}

}  // namespace dmremap::discovery
