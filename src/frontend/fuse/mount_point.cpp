// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/mount_point.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::fuse {

namespace {

// The exit status of fusermount3, or -1 where it cannot be run. What it would say is ours to say.
int run_fusermount(const std::string& path, bool lazy) {
  posix_spawn_file_actions_t actions;
  if (::posix_spawn_file_actions_init(&actions) != 0) return -1;
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = "fusermount3";
  std::string option = lazy ? "-uz" : "-u";
  std::string separator = "--";
  std::string where = path;
  const std::array<char*, 5> arguments{program.data(), option.data(), separator.data(),
                                       where.data(), nullptr};
  pid_t child = -1;
  const int error =
      ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return -1;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

std::string canonical(const std::string& path) {
  const std::filesystem::path given(path);
  std::error_code error;
  const auto directory = std::filesystem::canonical(
      given.has_parent_path() ? given.parent_path() : std::filesystem::path("."), error);
  return error ? path : (directory / given.filename()).string();
}

namespace {

// The kind of the file system that is mounted there last, and so seen; none without a mount.
std::optional<std::string> mounted_type(const std::string& path) {
  const std::string wanted = canonical(path);
  std::optional<std::string> type;
  for (const auto& mount : os::parse_mountinfo(os::read_attribute("/proc/self/mountinfo"))) {
    if (mount.mount_point == wanted) type = mount.fs_type;
  }
  return type;
}

}  // namespace

bool is_mounted(const std::string& path) {
  return mounted_type(path).has_value();
}

MountState mount_state(const std::string& path) {
  const auto type = mounted_type(path);
  if (!type) return MountState::none;
  // The server of another file system is not ours to ask (it need not answer), nor to unmount.
  if (*type != kFileSystemType) return MountState::alive;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return MountState::alive;
  // fs/fuse/dev.c: requests to a connection that has ended get ENOTCONN, those under way when it
  // was aborted ECONNABORTED.
  return errno == ENOTCONN || errno == ECONNABORTED ? MountState::dead : MountState::alive;
}

Result<void> unmount(const os::TrustedDirectory& directory, const std::string& name,
                     Unmounting how) {
  const bool lazy = how == Unmounting::detached;
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

}  // namespace dmremap::fuse
