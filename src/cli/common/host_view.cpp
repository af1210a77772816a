// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/host_view.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "frontend/fuse/loop_device.hpp"
#include "os/path.hpp"
#include "os/set_link.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"
#include "report/advice.hpp"

namespace dmremap::cli {

namespace {

// What still uses the device that a dead set left.
struct LeftUse {
  std::vector<std::string> mounts;   // mount points on it, on its partitions, or on what lies on it
  std::vector<std::string> holders;  // kernel devices on it: LVM, LUKS, md
};

void add(std::vector<std::string>& to, std::string one) {
  if (std::ranges::find(to, one) == to.end()) to.push_back(std::move(one));
}

LeftUse use_of(const std::string& mount_path) {
  LeftUse out;
  for (const std::string& loop : fuse::loops_over(mount_path)) {
    const auto storage = os::storage_of(loop);
    if (!storage) continue;
    for (const os::Mount& mount : os::read_mounts()) {
      const os::Storage mounted{mount.device, 0};
      const auto below = os::beneath(mounted);
      const bool lies_there = std::ranges::find(below, *storage) != below.end();
      if (lies_there) add(out.mounts, mount.mount_point);
    }
    for (std::string& point : mounts_on(loop)) add(out.mounts, std::move(point));
    for (std::string& holder : os::holders_of(storage->device)) {
      add(out.holders, std::move(holder));
    }
  }
  return out;
}

// The device of a run by ublk. It has stayed, and its users wait: the next start serves them on.
std::string waiting_device_of(const std::string& name) {
  std::error_code error;
  std::string node = std::filesystem::read_symlink(os::set_link(name), error).string();
  if (error || !node.starts_with("/dev/ublkb")) return {};
  const auto storage = os::storage_of(node);
  return storage && storage->is_block_device() ? node : std::string();
}

bool is_there(const std::string& path) {
  return !path.empty() && os::storage_of(path).has_value();
}

bool some_block_device_has(SectorCount size) {
  const std::string wanted = std::to_string(size.value);
  const std::string directory = "/sys/class/block";
  return std::ranges::any_of(os::names_in(directory), [&](const std::string& name) {
    return os::read_attribute(fmt::format("{}/{}/size", directory, name)) == wanted;
  });
}

}  // namespace

std::vector<std::string> mounts_on(const std::string& node) {
  std::vector<std::string> out;
  const auto storage = os::storage_of(node);
  if (!storage || !storage->is_block_device()) return out;
  for (const os::Mount& mount : os::read_mounts()) {
    if (os::whole_disk_of(mount.device) == storage->device) out.push_back(mount.mount_point);
  }
  // A file system with device numbers of its own is found by its source.
  for (std::string& point : os::mounts_of(storage->device)) {
    if (std::ranges::find(out, point) == out.end()) out.push_back(std::move(point));
  }
  return out;
}

std::string death_of(const control::RuntimeDir& runtime, const std::string& name) {
  const auto pid = control::dead_holder_of(runtime.pid_file(name));
  if (!pid) return {};
  const auto hint = discovery::Hints(runtime.hints()).find(name);
  const std::string mount_path =
      hint && !hint->mount_path.empty() ? hint->mount_path : runtime.mount_file(name);
  const std::string gone =
      *pid == 0 ? "its process is gone" : fmt::format("process {} is gone", *pid);
  const LeftUse left = use_of(os::canonical(mount_path));
  if (!left.mounts.empty()) {
    std::string typed;
    for (const std::string& point : left.mounts)
      typed += " " + report::shell_word(point, "MOUNTPOINT");
    return fmt::format("{}, still mounted on {}: umount{}, then dmremap start {}", gone,
                       fmt::join(left.mounts, " and "), typed, name);
  }
  if (!left.holders.empty()) {
    return fmt::format("{}, still held by {}: deactivate that, then dmremap start {}", gone,
                       fmt::join(left.holders, " and "), name);
  }
  if (const std::string node = waiting_device_of(name); !node.empty()) {
    return fmt::format(
        "{}, and whoever uses {} waits: dmremap start {} serves it on, nothing need "
        "be unmounted",
        gone, node, name);
  }
  return fmt::format("{}: dmremap start {}", gone, name);
}

std::string absence_of_main(const std::vector<std::string>& paths, SectorCount size) {
  if (std::ranges::any_of(paths, is_there) || some_block_device_has(size)) return {};
  const auto last =
      std::ranges::find_if(paths, [](const std::string& path) { return !path.empty(); });
  return last == paths.end() ? "main is not here"
                             : fmt::format("main is not here: {} is not there", *last);
}

set::HostView host_view(const control::RuntimeDir& runtime, const format::Identity& identity) {
  const auto hint = discovery::Hints(runtime.hints()).find(identity.name);
  return {death_of(runtime, identity.name),
          absence_of_main({hint ? hint->main_path : std::string(), identity.main.path_hint},
                          identity.main.size)};
}

}  // namespace dmremap::cli
