// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/host_view.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "frontend/fuse/loop_device.hpp"
#include "os/path.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

// The mount points of the file systems on the dead set's device, or on partitions of it.
std::vector<std::string> mounts_over(const std::string& mount_path) {
  std::vector<std::string> out;
  for (const std::string& loop : fuse::loops_over(mount_path)) {
    for (std::string& point : mounts_on(loop)) out.push_back(std::move(point));
  }
  return out;
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
  const auto mounts = mounts_over(os::canonical(mount_path));
  if (mounts.empty()) return fmt::format("{}: dmremap start {}", gone, name);
  return fmt::format("{}, still mounted on {}: umount {}, then dmremap start {}", gone,
                     fmt::join(mounts, " and "), fmt::join(mounts, " "), name);
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
