// SPDX-License-Identifier: GPL-2.0-or-later
// Clears away what a killed run left behind: first the loop device, which keeps the mount alive,
// then the mount, then the link, which may point to the device of another set by now.
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "frontend/fuse/loop_control.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "frontend/fuse/mount_file.hpp"
#include "frontend/stable_links.hpp"
#include "os/path.hpp"
#include "os/sysfs.hpp"

namespace dmremap::fuse {

namespace {

Error as_leftover(Error error, const std::string& mount_path) {
  if (error.code == ErrorCode::device_in_use) {
    error.code = ErrorCode::leftovers_in_use;
    error.what =
        fmt::format("left behind by an earlier run on {} and still {}", mount_path, error.what);
    error.hint = fmt::format(
        "unmount what is on it (umount {}) and end what uses it, then start again", error.where);
  }
  return error;
}

void clear_link(const std::string& link, const std::string& mount_path) {
  const std::string target = os::link_target(link);
  if (!target.starts_with("/dev/loop")) return;
  if (backing_file_of(target) != os::canonical(mount_path)) ::unlink(link.c_str());
}

}  // namespace

std::vector<std::string> loops_over(const std::string& backing_path) {
  const std::string wanted = os::canonical(backing_path);
  std::vector<std::string> nodes;
  for (const std::string& name : os::names_in("/sys/block")) {
    if (!name.starts_with("loop")) continue;
    std::string node = "/dev/" + name;
    if (backing_file_of(node) == wanted) nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<void> clear_leftovers(const std::string& mount_path, const std::string& stable_link) {
  // The path is checked first: a mount that other users can exchange must not be unmounted.
  const auto directory =
      os::TrustedDirectory::open_parent_of(mount_path, os::PathTrust::no_foreign_changes);
  if (!directory && directory.error().code == ErrorCode::permission) {
    return failure_of(directory);
  }
  const os::MountState state =
      directory ? os::mount_state(mount_path, os::kSetFileSystemType) : os::MountState::none;
  if (state == os::MountState::alive) {
    return fail(ErrorCode::device_in_use, "something is mounted here and answers", mount_path,
                "stop the set that serves it, or unmount it");
  }
  // Without a mount it is a loop device over a plain file of that name, which is not ours.
  if (state == os::MountState::dead) {
    for (const std::string& node : loops_over(mount_path)) {
      auto held = hold_unused(node, true);
      if (!held) return tl::unexpected(as_leftover(held.error(), mount_path));
      if (auto cleared = clear_loop(node, std::move(*held)); !cleared) {
        return tl::unexpected(as_leftover(cleared.error(), mount_path));
      }
    }
    const std::string name = std::filesystem::path(mount_path).filename().string();
    if (auto gone = os::unmount(*directory, name, os::UnmountMode::detached); !gone) return gone;
  }
  if (!stable_link.empty()) {
    clear_link(stable_link, mount_path);
    frontend::clear_partition_links(stable_link);
  }
  return {};
}

}  // namespace dmremap::fuse
