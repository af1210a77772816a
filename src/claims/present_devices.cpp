// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/present_devices.hpp"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file_descriptor.hpp"
#include "discovery/candidates.hpp"
#include "discovery/device_names.hpp"
#include "discovery/hardware.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::claims {

namespace {

FileDescriptor open_to_look(const std::string& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

bool is_known_as(const std::string& path, const std::string& set, const char* role, bool hidden) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return false;
  discovery::UdevRecord known(storage->device);
  return known.property("DMREMAP_SET") == set && known.property("DMREMAP_ROLE") == role &&
         (known.property("DMREMAP_HIDDEN") == "1") == hidden;
}

}  // namespace

std::optional<PresentDevice> look_at(const std::string& path) {
  const FileDescriptor fd = open_to_look(path);
  struct stat st {};
  if (!fd.valid() || ::fstat(fd.get(), &st) != 0) return std::nullopt;
  if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)) return std::nullopt;
  PresentDevice out;
  out.names = discovery::names_of_device(fd.get());
  if (!S_ISBLK(st.st_mode)) return out;
  const dev_t disk = os::whole_disk_of(st.st_rdev);
  if (disk == st.st_rdev) return out;
  if (const FileDescriptor whole = open_to_look(os::node_of(disk)); whole.valid()) {
    out.disk_names = discovery::names_of_device(whole.get());
  }
  return out;
}

void ask_udev_again(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return;
  // The kernel's Documentation/ABI/testing/sysfs-uevent.
  for (const dev_t device : os::with_partitions(storage->device)) {
    (void)os::write_attribute(os::sysfs_directory_of(device) + "/uevent", "change");
  }
}

void ask_udev_again(const Claim& claim) {
  ask_udev_again(claim.main.path);
  for (const ClaimedSpare& spare : claim.spares) ask_udev_again(spare.device.path);
}

bool is_known_to_udev(const Claim& claim) {
  const auto main = os::storage_of(claim.main.path);
  if (!main || !main->is_block_device()) return false;
  const std::vector<dev_t> parts = os::with_partitions(main->device);
  return is_known_as(claim.main.path, claim.name, "main", true) &&
         std::all_of(parts.begin() + 1, parts.end(),
                     [&](dev_t part) {
                       return is_known_as(os::node_of(part), claim.name, "part-of-main", true);
                     }) &&
         std::ranges::all_of(claim.spares, [&](const ClaimedSpare& spare) {
           return is_known_as(spare.device.path, claim.name, "spare", false);
         });
}

std::vector<FoundDevice> find_devices(const Claim& claim) {
  std::vector<std::string> paths = discovery::block_devices();
  const auto add = [&](const std::string& path) {
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
  };
  add(claim.main.path);
  for (const ClaimedSpare& spare : claim.spares) add(spare.device.path);
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  std::vector<FoundDevice> out;
  for (const std::string& path : paths) {
    const auto device = look_at(path);
    const Role role = device ? role_in(claim, *device, shared) : Role::none;
    if (role != Role::none) out.push_back({path, role});
  }
  return out;
}

}  // namespace dmremap::claims
