// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/device_facts.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "discovery/file_names.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/hardware_names.hpp"
#include "os/sysfs.hpp"

namespace dmremap::discovery {

namespace {

using format::Fact;
using format::FactKind;

constexpr int kMostLayers = 8;  // loop devices over block devices over ...

void add(std::vector<Fact>& facts, FactKind kind, std::string value) {
  if (value.empty()) return;
  if (value.size() > format::kMaxFactBytes) value.resize(format::kMaxFactBytes);
  facts.push_back({kind, std::move(value)});
}

void append(std::vector<Fact>& facts, std::vector<Fact> more) {
  facts.insert(facts.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
}

std::string offset_suffix(std::uint64_t sectors) {
  return sectors == 0 ? std::string() : fmt::format(" +{}", sectors);
}

std::vector<Fact> names_of_storage(int fd, bool is_block_device, dev_t device,
                                   std::uint64_t first_sector, int layers);

// The names of the file or device that a loop device shows, which are the loop device's names, too.
// There are none if that was deleted or lies in another mount namespace: it cannot be opened then.
std::vector<Fact> names_below_loop(dev_t device, std::uint64_t first_sector, int layers) {
  const auto backing = os::loop_backing(device);
  if (!backing || layers == 0) return {};
  // Only to look at it: no server of a hung file system is asked for data.
  const FileDescriptor fd(
      ::open(backing->path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts {};
  if (!fd.valid() || ::fstat(fd.get(), &facts) != 0) return {};
  const bool is_block_device = S_ISBLK(facts.st_mode);
  if (!is_block_device && !S_ISREG(facts.st_mode)) return {};
  return names_of_storage(fd.get(), is_block_device, facts.st_rdev,
                          first_sector + backing->offset / kSectorBytes, layers - 1);
}

// The names of the disk or file that holds the bytes, and where on it they begin.
std::vector<Fact> names_of_storage(int fd, bool is_block_device, dev_t device,
                                   std::uint64_t first_sector, int layers) {
  if (!is_block_device) return file_names(fd, offset_suffix(first_sector));
  const std::string directory = os::sysfs_directory_of(device);
  const bool is_partition = !os::read_attribute(directory + "/partition").empty();
  if (is_partition) {
    first_sector += std::strtoull(os::read_attribute(directory + "/start").c_str(), nullptr, 10);
  }
  std::vector<Fact> facts = hardware_names(device);
  append(facts, names_below_loop(device, first_sector, layers));
  if (auto attachment = attachment_of_disk(fd); !attachment.empty()) {
    add(facts, FactKind::attachment, attachment + offset_suffix(first_sector));
  }
  if (first_sector != 0) add(facts, FactKind::partition_start, std::to_string(first_sector));
  return facts;
}

// The kinds are numbered by importance. What does not fit the metadata is left out from the end.
void sort_decisive_first(std::vector<Fact>& facts) {
  std::ranges::stable_sort(facts, {}, &Fact::kind);
}

bool has_several_paths(const std::string& directory) {
  std::error_code error;
  const std::string real = std::filesystem::canonical(directory, error);
  if (error) return false;
  constexpr std::array<std::string_view, 3> kTransports{"/end_device-", "/rport-", "/session"};
  return std::ranges::any_of(kTransports, [&](std::string_view transport) {
    return real.find(transport) != std::string::npos;
  });
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
  struct stat facts {};
  if (::fstat(device.fd(), &facts) != 0) return fail_errno(errno, "look at", device.path());
  DeviceFacts out;
  const Contents contents = read_contents(device, use);
  auto fingerprint = take_fingerprint(device, contents, use);
  if (!fingerprint) return failure_of(fingerprint);
  out.fingerprint = std::move(*fingerprint);
  out.path = out.fingerprint.path_hint;
  out.facts =
      names_of_storage(device.fd(), device.is_block_device(), facts.st_rdev, 0, kMostLayers);
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
