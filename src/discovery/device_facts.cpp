// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/device_facts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "discovery/device_names.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"
#include "os/sysfs.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

void add(std::vector<Fact>& facts, FactKind kind, std::string value) {
  if (value.empty()) return;
  if (value.size() > format::kMaxFactBytes) value.resize(format::kMaxFactBytes);
  facts.push_back({kind, std::move(value)});
}

// The kinds are numbered by importance. What does not fit the metadata is left out from the end.
void sort_decisive_first(std::vector<Fact>& facts) {
  std::ranges::stable_sort(facts, {}, &Fact::kind);
}

bool has_several_paths(const std::string& directory) {
  const std::string place = os::place_in_devices(directory);
  constexpr std::array<std::string_view, 3> kTransports{"/end_device-", "/rport-", "/session"};
  return std::ranges::any_of(kTransports, [&](std::string_view transport) {
    return place.find(transport) != std::string::npos;
  });
}

// There are eight of them from when the driver is loaded, and each would be asked for names that
// only a disk can have.
bool is_unused_loop_device(const std::string& name, const std::string& directory) {
  return name.starts_with("loop") && os::read_attribute(directory + "/loop/backing_file").empty();
}

// A path of a multipath map is seen through the map.
bool is_multipath_leg(const std::string& directory) {
  const std::string holders = directory + "/holders";
  return std::ranges::any_of(os::names_in(holders), [&](const std::string& holder) {
    return os::read_attribute(fmt::format("{}/{}/dm/uuid", holders, holder)).starts_with("mpath-");
  });
}

}  // namespace

Result<DeviceFacts> gather_facts(const io::FileDevice& device, DeviceUse use) {
  return gather_facts(device, read_contents(device, use), use);
}

Result<DeviceFacts> gather_facts(const io::FileDevice& device, const Contents& contents,
                                 DeviceUse use) {
  struct stat facts {};
  if (::fstat(device.fd(), &facts) != 0) return fail_errno(errno, "look at", device.path());
  DeviceFacts out;
  auto fingerprint = take_fingerprint(device, contents, use);
  if (!fingerprint) return failure_of(fingerprint);
  out.fingerprint = std::move(*fingerprint);
  out.path = out.fingerprint.path_hint;
  out.facts = names_of_device(device.fd());
  add(out.facts, FactKind::partition_uuid, out.fingerprint.part_uuid);
  add(out.facts, contents.is_table ? FactKind::table_uuid : FactKind::file_system_uuid,
      contents.uuid);
  add(out.facts, FactKind::file_system_label, contents.label);
  add(out.facts, FactKind::path, out.path);
  if (device.is_block_device()) add(out.facts, FactKind::port, port_of(facts.st_rdev));
  sort_decisive_first(out.facts);
  const os::Storage storage = device.is_block_device() ? os::Storage{facts.st_rdev, 0}
                                                       : os::Storage{facts.st_dev, facts.st_ino};
  out.beneath = os::beneath(storage);
  return out;
}

std::vector<DiskNames> names_of_disks(const std::string& sys) {
  std::vector<DiskNames> out;
  for (const std::string& name : os::names_in(sys + "/class/block")) {
    const std::string directory = fmt::format("{}/class/block/{}", sys, name);
    if (is_unused_loop_device(name, directory)) continue;
    const bool is_hidden = os::read_attribute(directory + "/hidden") == "1";
    const bool is_partition = !os::read_attribute(directory + "/partition").empty();
    if (is_hidden || is_partition || is_multipath_leg(directory)) continue;
    const auto device = os::parse_device_number(os::read_attribute(directory + "/dev"));
    if (!device) continue;
    auto facts = hardware_names(*device, sys);
    if (!facts.empty()) out.push_back({name, std::move(facts), has_several_paths(directory)});
  }
  return out;
}

}  // namespace dmremap::discovery
