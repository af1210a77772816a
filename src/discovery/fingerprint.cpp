// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/fingerprint.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "discovery/hardware.hpp"
#include "discovery/probe.hpp"
#include "os/path.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::discovery {

namespace {

using format::DeviceKind;
using format::Fingerprint;

enum class ProbeResult { found, nothing, unreadable };

ProbeResult probed(int outcome) {
  if (outcome == 0) return ProbeResult::found;
  // -2: several contradict each other, which names none of them.
  return outcome == 1 || outcome == -2 ? ProbeResult::nothing : ProbeResult::unreadable;
}

ProbeResult probe_superblocks(Probe& probe) {
  ::blkid_probe_enable_superblocks(probe.get(), 1);
  ::blkid_probe_set_superblocks_flags(probe.get(),
                                      BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
  const ProbeResult all = probed(::blkid_do_safeprobe(probe.get()));
  if (all != ProbeResult::unreadable) return all;
  // RAID superblocks lie at the end of a device, and one bad sector there is no reason to know
  // nothing: file systems alone, the first that is found.
  ::blkid_reset_probe(probe.get());
  ::blkid_probe_filter_superblocks_usage(probe.get(), BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
  return probed(::blkid_do_probe(probe.get()));
}

// From the table of the disk, which blkid opens itself.
std::string partition_uuid(const io::FileDevice& device, DeviceUse use) {
  auto probe = Probe::open(device, use);
  if (!probe) return {};
  ::blkid_probe_enable_superblocks(probe->get(), 0);
  ::blkid_probe_enable_partitions(probe->get(), 1);
  ::blkid_probe_set_partitions_flags(probe->get(), BLKID_PARTS_ENTRY_DETAILS);
  (void)::blkid_do_safeprobe(probe->get());
  return probe->value("PART_ENTRY_UUID");
}

void learn_hardware(const io::FileDevice& device, DeviceUse use, dev_t number,
                    Fingerprint& fingerprint) {
  Hardware hardware = hardware_of(number);
  fingerprint.wwn = std::move(hardware.wwn);
  fingerprint.serial = std::move(hardware.serial);
  fingerprint.model = std::move(hardware.model);
  const std::string directory = os::sysfs_directory_of(number);
  std::error_code error;
  if (!os::read_attribute(directory + "/partition").empty()) {
    fingerprint.kind = DeviceKind::partition;
    fingerprint.part_uuid = std::move(hardware.part_uuid);
    if (fingerprint.part_uuid.empty()) fingerprint.part_uuid = partition_uuid(device, use);
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

Contents read_contents(const io::FileDevice& device, DeviceUse use) {
  Contents out;
  auto probe = Probe::open(device, use);
  if (!probe) return out;
  const ProbeResult superblocks = probe_superblocks(*probe);
  out.type = probe->value("TYPE");
  out.uuid = probe->value("UUID");
  out.label = probe->value("LABEL");
  if (superblocks == ProbeResult::found) return out;

  auto table = Probe::open(device, use);
  if (!table) return out;
  ::blkid_probe_enable_superblocks(table->get(), 0);
  ::blkid_probe_enable_partitions(table->get(), 1);
  const ProbeResult tables = probed(::blkid_do_safeprobe(table->get()));
  if (superblocks == ProbeResult::unreadable || tables == ProbeResult::unreadable) {
    return {std::string(kUnreadableFileSystem), {}, {}, false};
  }
  return {table->value("PTTYPE"), table->value("PTUUID"), {}, true};
}

Result<Fingerprint> take_fingerprint(const io::FileDevice& device) {
  return take_fingerprint(device, read_contents(device));
}

Result<Fingerprint> take_fingerprint(const io::FileDevice& device, const Contents& contents,
                                     DeviceUse use) {
  struct stat facts {};
  if (::fstat(device.fd(), &facts) != 0) return fail_errno(errno, "look at", device.path());
  Fingerprint fingerprint;
  fingerprint.size = device.geometry().size;
  fingerprint.logical_block_bytes = device.geometry().logical_block_bytes;
  fingerprint.physical_block_bytes = device.geometry().physical_block_bytes;
  fingerprint.kind = DeviceKind::image;
  if (device.is_block_device()) {
    fingerprint.kind = DeviceKind::other;
    learn_hardware(device, use, facts.st_rdev, fingerprint);
  }
  fingerprint.fs_type = contents.type;
  fingerprint.fs_uuid = contents.uuid;
  fingerprint.path_hint = os::absolute(device.path());
  cut_to_stored(fingerprint);
  return fingerprint;
}

}  // namespace dmremap::discovery
