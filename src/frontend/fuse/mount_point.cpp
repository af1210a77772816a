// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/mount_point.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/sysfs.hpp"
#include "io/usage.hpp"

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

bool is_mounted(const std::string& path) {
  const std::string wanted = canonical(path);
  const auto mounts = io::parse_mountinfo(io::read_attribute("/proc/self/mountinfo"));
  return std::ranges::any_of(mounts,
                             [&](const io::Mount& mount) { return mount.mount_point == wanted; });
}

MountState mount_state(const std::string& path) {
  if (!is_mounted(path)) return MountState::none;
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return MountState::alive;
  // fs/fuse/dev.c: requests to a connection that has ended get ENOTCONN, those under way when it
  // was aborted ECONNABORTED.
  return errno == ENOTCONN || errno == ECONNABORTED ? MountState::dead : MountState::alive;
}

Result<void> unmount(const std::string& path, Unmounting how) {
  const bool lazy = how == Unmounting::detached;
  if (::geteuid() == 0) {
    if (::umount2(path.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
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
