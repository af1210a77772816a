// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/mount_point.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/mount_table.hpp"
#include "os/path.hpp"
#include "os/spawn.hpp"

namespace dmremap::os {

namespace {

// The exit status of fusermount3, or -1 where it cannot be run. What it would say is ours to say.
int run_fusermount(const std::string& path, bool lazy) {
  const auto child = spawn({{"fusermount3", lazy ? "-uz" : "-u", "--", path}});
  if (!child) return -1;
  const int status = wait_for(*child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The kind of the file system that is mounted there last, and so seen; none without a mount.
std::optional<std::string> mounted_type(const std::string& path) {
  const std::string wanted = canonical(path);
  std::optional<std::string> type;
  for (const Mount& mount : read_mounts()) {
    if (mount.mount_point == wanted) type = mount.fs_type;
  }
  return type;
}

}  // namespace

bool is_mounted(const std::string& path) {
  return mounted_type(path).has_value();
}

bool is_set_file(const std::string& path) {
  return std::ranges::any_of(read_mounts(), [&](const Mount& mount) {
    return mount.fs_type == kSetFileSystemType && mount.mount_point == path;
  });
}

MountState mount_state(const std::string& path, const std::string& own_type) {
  const auto type = mounted_type(path);
  if (!type) return MountState::none;
  if (*type != own_type) return MountState::alive;
  // Cached attributes would hide that the server has gone.
  struct statx facts {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, STATX_SIZE, &facts) == 0) {
    return MountState::alive;
  }
  // fs/fuse/dev.c: requests to a connection that has ended get ENOTCONN, those under way when it
  // was aborted ECONNABORTED.
  return errno == ENOTCONN || errno == ECONNABORTED ? MountState::dead : MountState::alive;
}

Result<void> unmount(const TrustedDirectory& directory, const std::string& name, UnmountMode how) {
  const bool lazy = how == UnmountMode::detached;
  const std::string path = (std::filesystem::path(directory.path()) / name).string();
  if (::geteuid() == 0) {
    const int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
    if (::umount2(directory.entry(name).c_str(), flags) == 0) return {};
    return fail_errno(errno, "unmount", path);
  }
  const int status = run_fusermount(path, lazy);
  if (status == 0) return {};
  if (status < 0) {
    return fail(ErrorCode::not_supported, "cannot run fusermount3 to unmount it", path,
                "install the package fuse3, or run as root");
  }
  return fail(ErrorCode::device_in_use, "cannot unmount it", path);
}

}  // namespace dmremap::os
