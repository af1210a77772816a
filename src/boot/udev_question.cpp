// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/udev_question.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>

#include <blkid/blkid.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "base/parse.hpp"
#include "claims/present_devices.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/hardware_names.hpp"
#include "format/seal.hpp"
#include "os/mount_point.hpp"
#include "os/path.hpp"
#include "os/root_storage.hpp"
#include "os/runtime_directory.hpp"
#include "os/set_link.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::boot {

namespace {

using format::Fact;

// At the first event of a device udev's database has nothing of it yet: what its rules found stands
// in the environment alone.
void add_names_in_environment(std::vector<Fact>& names, bool through_usb) {
  if (names.empty()) return;
  discovery::add_names_of_udev(
      names, [](const char* key) { return os::environment(key); }, through_usb);
}

// True if only a set can be what shows this device: a link that a dead run left may lead to a loop
// device that somebody else has attached since.
bool can_be_of_a_set(const std::string& node) {
  const auto storage = os::storage_of(node);
  const auto backing = storage ? os::loop_backing(storage->device) : std::nullopt;
  if (!backing) return node.starts_with("/dev/ublkb") || node.starts_with("/dev/dm-");
  return os::is_set_file(backing->path);
}

// The set that serves the device, by the link that it keeps to it. Nothing is asked of the device:
// its set may be stopped.
std::string set_that_serves(const std::string& node, const std::vector<claims::ClaimFile>& claims) {
  for (const claims::ClaimFile& file : claims) {
    const std::string path = os::link_target(os::set_link(file.name));
    if (path.empty()) continue;
    // Partitions of the device are its own too.
    const bool is_part =
        node.starts_with(path) && node.size() > path.size() && node[path.size()] == 'p';
    if ((node == path || is_part) && can_be_of_a_set(node)) return file.name;
  }
  return {};
}

// The seal of the first slot that has one; looked for in two copies, so that a device that is no
// spare costs few reads.
std::optional<format::Seal> seal_on(const std::string& node) {
  const FileDescriptor fd(::open(node.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return std::nullopt;
  std::array<std::byte, format::kBlockBytes> block{};
  constexpr unsigned kCopiesToTry = 2;
  for (unsigned copy = 0; copy < kCopiesToTry; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const Sector at =
          format::kNearPositions.at(copy) + SectorCount{slot * format::kSlotSectors.value};
      const ssize_t got =
          ::pread(fd.get(), block.data(), block.size(), static_cast<off_t>(at.byte_offset()));
      if (got != static_cast<ssize_t>(block.size())) return std::nullopt;
      const format::SealReading reading = format::unpack_seal(block);
      if (reading.check == format::SealCheck::ok) return reading.seal;
    }
  }
  return std::nullopt;
}

// The UUID of the file system that fills the device; empty if there is none.
std::string file_system_on(const std::string& node) {
  const std::unique_ptr<blkid_struct_probe, decltype(&::blkid_free_probe)> probe(
      ::blkid_new_probe_from_filename(node.c_str()), &::blkid_free_probe);
  if (!probe) return {};
  ::blkid_probe_enable_superblocks(probe.get(), 1);
  ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_UUID);
  const char* uuid = nullptr;
  if (::blkid_do_safeprobe(probe.get()) != 0) return {};
  if (::blkid_probe_lookup_value(probe.get(), "UUID", &uuid, nullptr) != 0) return {};
  return uuid;
}

// Nothing is read from the device unless a file system can be a copy of a claimed one.
void look_for_copy(const std::string& node, const std::vector<claims::ClaimFile>& claims,
                   UdevQuestion& out) {
  const claims::HostId here = claims::this_host();
  if (claims_with_copies(claims, here).empty()) return;
  out.file_system_uuid = file_system_on(node);
  if (out.file_system_uuid.empty()) return;
  for (const claims::Claim* claim : claims_of_file_system(out.file_system_uuid, claims, here)) {
    const auto found = claims::find_devices(*claim);
    if (std::ranges::any_of(found, [](const claims::FoundDevice& device) {
          return device.role == claims::Role::main;
        })) {
      out.sets_with_main.push_back(claim->set_uuid);
    }
  }
}

bool is_used(dev_t device) {
  return !os::mounts_of(device).empty() || !os::holders_of(device).empty() ||
         os::is_swap({device, 0});
}

// True if the whole disk, or any partition of it, is used.
bool is_disk_used(const std::string& node) {
  const auto storage = os::storage_of(node);
  if (!storage || !storage->is_block_device()) return false;
  return std::ranges::any_of(os::with_partitions(os::whole_disk_of(storage->device)), is_used);
}

// The pid file is the set's (control/runtime_dir.hpp); one that a dead run left names a process
// that is gone, or one that has no such mark.
std::vector<std::string> sets_served_for_root(const std::vector<claims::ClaimFile>& claims) {
  std::vector<std::string> out;
  for (const claims::ClaimFile& file : claims) {
    const std::string pid =
        os::read_attribute(std::string(os::kRootRuntimeDirectory) + "/" + file.name + ".pid");
    const auto number = parse_number(pid);
    if (number && os::survives_shutdown(static_cast<pid_t>(*number))) out.push_back(file.name);
  }
  return out;
}

std::vector<std::string> sets_of_this_initramfs() {
  std::istringstream text(os::read_attribute("/etc/dm-remap/root-sets"));
  return {std::istream_iterator<std::string>(text), {}};
}

}  // namespace

UdevQuestion question_of(const std::string& node, const std::vector<claims::ClaimFile>& claims,
                         discovery::SharedFacts& shared) {
  UdevQuestion out;
  out.served_set = set_that_serves(node, claims);
  if (!out.served_set.empty()) return out;
  out.is_initramfs = os::is_initramfs();
  out.root_sets = sets_of_this_initramfs();
  out.served_for_root = sets_served_for_root(claims);
  if (auto device = claims::look_at(node)) out.device = std::move(*device);
  const auto storage = os::storage_of(node);
  const bool through_usb =
      storage && storage->is_block_device() && discovery::is_behind_usb(storage->device);
  add_names_in_environment(out.device.names, through_usb);
  add_names_in_environment(out.device.disk_names, through_usb);
  if (is_main(out.device, claims, {})) {
    shared = discovery::shared_facts(discovery::names_of_disks());
  }
  if (is_main(out.device, claims, shared)) {
    out.was_hidden = os::environment("DMREMAP_WAS_HIDDEN") == "1";
    out.is_in_use = is_disk_used(node);
    return out;
  }
  if (const auto seal = seal_on(node)) {
    out.set_on_it = seal->set_uuid;
    out.spare_on_it = seal->device_uuid;
  } else {
    look_for_copy(node, claims, out);
  }
  return out;
}

}  // namespace dmremap::boot
