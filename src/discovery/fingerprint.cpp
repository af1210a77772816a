// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/fingerprint.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "discovery/hardware.hpp"
#include "discovery/probe.hpp"
#include "io/sysfs.hpp"
#include "io/usage.hpp"

namespace dmremap::discovery {

namespace {

using format::DeviceKind;
using format::Fingerprint;

enum class Probed { found, nothing, unreadable };

Probed probed(int outcome) {
  if (outcome == 0) return Probed::found;
  // -2: several contradict each other, which names none of them.
  return outcome == 1 || outcome == -2 ? Probed::nothing : Probed::unreadable;
}

Probed probe_superblocks(Probe& probe) {
  ::blkid_probe_enable_superblocks(probe.get(), 1);
  ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID);
  const Probed all = probed(::blkid_do_safeprobe(probe.get()));
  if (all != Probed::unreadable) return all;
  // RAID superblocks lie at the end of a device, and one bad sector there is no reason to know
  // nothing: file systems alone, the first that is found.
  ::blkid_reset_probe(probe.get());
  ::blkid_probe_filter_superblocks_usage(probe.get(), BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
  return probed(::blkid_do_probe(probe.get()));
}

void learn_contents(const io::FileDevice& device, Fingerprint& fingerprint) {
  auto probe = Probe::open(device);
  if (!probe) return;
  const Probed superblocks = probe_superblocks(*probe);
  fingerprint.fs_type = probe->value("TYPE");
  fingerprint.fs_uuid = probe->value("UUID");
  if (superblocks == Probed::found) return;

  auto table = Probe::open(device);
  if (!table) return;
  ::blkid_probe_enable_superblocks(table->get(), 0);
  ::blkid_probe_enable_partitions(table->get(), 1);
  const Probed tables = probed(::blkid_do_safeprobe(table->get()));
  fingerprint.fs_type = table->value("PTTYPE");
  fingerprint.fs_uuid = table->value("PTUUID");
  if (superblocks == Probed::unreadable || tables == Probed::unreadable) {
    fingerprint.fs_type = kUnreadableFileSystem;
    fingerprint.fs_uuid.clear();
  }
}

// From the table of the disk, which blkid opens itself.
std::string partition_uuid(const io::FileDevice& device) {
  auto probe = Probe::open(device);
  if (!probe) return {};
  ::blkid_probe_enable_superblocks(probe->get(), 0);
  ::blkid_probe_enable_partitions(probe->get(), 1);
  ::blkid_probe_set_partitions_flags(probe->get(), BLKID_PARTS_ENTRY_DETAILS);
  (void)::blkid_do_safeprobe(probe->get());
  return probe->value("PART_ENTRY_UUID");
}

void learn_hardware(const io::FileDevice& device, dev_t number, Fingerprint& fingerprint) {
  Hardware hardware = hardware_of(number);
  fingerprint.wwn = std::move(hardware.wwn);
  fingerprint.serial = std::move(hardware.serial);
  fingerprint.model = std::move(hardware.model);
  const std::string directory = io::sysfs_directory_of(number);
  std::error_code error;
  if (!io::read_attribute(directory + "/partition").empty()) {
    fingerprint.kind = DeviceKind::partition;
    fingerprint.part_uuid = std::move(hardware.part_uuid);
    if (fingerprint.part_uuid.empty()) fingerprint.part_uuid = partition_uuid(device);
  } else if (std::filesystem::exists(directory + "/device", error)) {
    fingerprint.kind = DeviceKind::disk;
  }
}

// What is compared must be what was stored.
void cut(std::string& text, std::size_t bytes) {
  if (text.size() > bytes) text.resize(bytes);
}

void cut_to_stored(Fingerprint& fingerprint) {
  cut(fingerprint.wwn, 64);
  cut(fingerprint.serial, 64);
  cut(fingerprint.model, 48);
  cut(fingerprint.part_uuid, 40);
  cut(fingerprint.fs_uuid, 40);
  cut(fingerprint.fs_type, 16);
  cut(fingerprint.path_hint, format::kMaxPathHintBytes);
}

}  // namespace

Result<Fingerprint> take_fingerprint(const io::FileDevice& device) {
  struct stat facts {};
  if (::fstat(device.fd(), &facts) != 0) return fail_errno(errno, "look at", device.path());
  Fingerprint fingerprint;
  fingerprint.size = device.geometry().size;
  fingerprint.logical_block_bytes = device.geometry().logical_block_bytes;
  fingerprint.physical_block_bytes = device.geometry().physical_block_bytes;
  fingerprint.kind = DeviceKind::image;
  if (device.is_block_device()) {
    fingerprint.kind = DeviceKind::other;
    learn_hardware(device, facts.st_rdev, fingerprint);
  }
  learn_contents(device, fingerprint);
  std::error_code error;
  const auto path = std::filesystem::absolute(device.path(), error);
  fingerprint.path_hint = error ? device.path() : path.lexically_normal().string();
  cut_to_stored(fingerprint);
  return fingerprint;
}

}  // namespace dmremap::discovery
