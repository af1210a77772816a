// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/map_facts.hpp"

#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/clock.hpp"
#include "cli/common/verdict_line.hpp"
#include "discovery/hardware.hpp"
#include "discovery/partitions.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

std::optional<dev_t> block_device_at(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return {};
  return storage->device;
}

// What is known of a device and not of an earlier one. The device that the set serves shows main's
// file systems where main itself hides them.
void add_contents(view::DiskFacts& facts, dev_t device) {
  if (facts.file_system.empty()) facts.file_system = discovery::file_system_in_udev(device);
  if (!facts.partitions.empty()) return;
  for (const discovery::KnownPartition& one : discovery::partitions_of(device)) {
    facts.partitions.push_back({one.number, one.range, discovery::file_system_in_udev(one.device)});
  }
}

// True if the drive there is the one that was recorded. Without a serial number nothing tells.
bool is_recorded(const discovery::Hardware& hardware, const format::Fingerprint& recorded) {
  return !recorded.serial.empty() && hardware.serial == recorded.serial;
}

std::string state_text(const DiskView& disk) {
  return fmt::format("{}{}", fmt::join(disk.status.conditions, ", "),
                     disk.status.doubtful ? ", doubtful: a later table may be hidden" : "");
}

}  // namespace

view::DiskFacts disk_facts(const DiskView& disk) {
  view::DiskFacts out;
  out.path = disk.status.main.path;
  const auto device = block_device_at(out.path);
  discovery::Hardware hardware;
  if (device) hardware = discovery::hardware_of(*device);
  if (disk.recorded_main) {
    const format::Fingerprint& recorded = *disk.recorded_main;
    out.model = recorded.model;
    out.serial = recorded.serial;
    if (device && is_recorded(hardware, recorded)) add_contents(out, *device);
    if (out.file_system.empty() && !recorded.fs_uuid.empty()) out.file_system = recorded.fs_type;
    return out;
  }
  out.model = hardware.model;
  out.serial = hardware.serial;
  for (const control::ExportReport& one : disk.status.exports) {
    if (const auto served = block_device_at(one.where)) add_contents(out, *served);
  }
  if (device) add_contents(out, *device);
  return out;
}

view::MapFacts map_facts(const DiskView& disk) {
  view::MapFacts out{.name = disk.status.name,
                     .uuid = to_string(disk.status.uuid),
                     .state = state_text(disk),
                     .verdict = verdict_line(disk.status.health),
                     .time = format_time(system_clock().wall_ns()),
                     .disk = disk_facts(disk),
                     .extents = disk.map.extents,
                     .size = disk.map.size,
                     .shown = {{0}, disk.map.size}};
  for (const control::SpareReport& spare : disk.status.spares) {
    out.spares.push_back({spare.path, {spare.room().taken()}, {spare.capacity_sectors}});
  }
  for (const remap::FailingPlace& place : disk.map.failing) {
    out.failing = out.failing + place.main.count;
  }
  return out;
}

}  // namespace dmremap::cli
