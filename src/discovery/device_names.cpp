// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/device_names.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "base/units.hpp"
#include "discovery/fact_kinds.hpp"
#include "discovery/file_names.hpp"
#include "discovery/hardware_names.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

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
  const bool is_virtual =
      std::ranges::any_of(facts, [](const Fact& fact) { return is_name_by_software(fact.kind); });
  if (is_virtual) append(facts, disks_below(device));
  append(facts, names_below_loop(device, first_sector, layers));
  if (auto attachment = attachment_of_disk(fd); !attachment.empty()) {
    add(facts, FactKind::attachment, attachment + offset_suffix(first_sector));
  }
  if (first_sector != 0) add(facts, FactKind::partition_start, std::to_string(first_sector));
  return facts;
}

}  // namespace

std::vector<Fact> names_of_device(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return {};
  return names_of_storage(fd, S_ISBLK(facts.st_mode), facts.st_rdev, 0, kMostLayers);
}

}  // namespace dmremap::discovery
