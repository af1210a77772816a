// SPDX-License-Identifier: GPL-2.0-or-later
#include "mount_point.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace dmremap::lab {

namespace {

namespace fs = std::filesystem;

// mountinfo writes blanks, tabs, newlines and backslashes as \ooo (proc_pid_mountinfo(5)).
std::string unescape(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool is_mount_point(const std::string& path) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::size_t begin = 0;
    for (int field = 0; field < 4 && begin != std::string::npos; ++field) {
      begin = line.find(' ', begin);
      if (begin != std::string::npos) ++begin;
    }
    if (begin == std::string::npos) continue;
    if (unescape(line.substr(begin, line.find(' ', begin) - begin)) == path) return true;
  }
  return false;
}

// Only root may call umount2(2); the setuid fusermount3(1) does it for anyone's own mounts.
int unmount_as_user(const std::string& path, bool lazily) {
  const std::string flags = lazily ? "-uqz" : "-uq";
  const char* const arguments[] = {"fusermount3", flags.c_str(), "--", path.c_str(), nullptr};
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, arguments[0], nullptr, nullptr,
                                   const_cast<char* const*>(arguments), environ);
  if (error != 0) return error;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

Result<void> take_off(const std::string& path, bool lazily) {
  int error = 0;
  if (::geteuid() == 0) {
    // UMOUNT_NOFOLLOW: the path is resolved already, and a link put in its place is not ours.
    const int flags = UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0);
    if (::umount2(path.c_str(), flags) != 0) error = errno;
  } else {
    error = unmount_as_user(path, lazily);
  }
  if (error == 0) return {};
  return fail_errno(error, "unmount", path, "see who uses it with fuser -vm");
}

std::string read_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool has_open(const fs::path& process, const std::string& path) {
  std::error_code error;
  for (const auto& fd : fs::directory_iterator(process / "fd", error)) {
    std::error_code unreadable;
    if (fs::read_symlink(fd.path(), unreadable) == path) return true;
  }
  return false;
}

Result<FileDescriptor> open_or_make(const std::string& path, bool& made) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  FileDescriptor fd(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600));
  made = fd.valid();
  if (!made && errno == EEXIST) fd = FileDescriptor(::open(path.c_str(), kFlags));
  if (!fd.valid()) {
    return fail_errno(errno, "open the mount file", path, "name a regular file, or none yet");
  }
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return fail_errno(errno, "look at the mount file", path);
  if (!S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::not_a_device, "the mount file is not a regular file", path,
                "name a regular file, or one that does not exist yet");
  }
  return fd;
}

}  // namespace

Result<std::string> absolute_path(const std::string& path) {
  const fs::path given(path);
  if (given.filename().empty() || given.filename() == "." || given.filename() == "..") {
    return fail(ErrorCode::usage, "does not name a file", path, "name the file to mount over");
  }
  const fs::path directory = given.has_parent_path() ? given.parent_path() : fs::path(".");
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(directory.c_str(), nullptr),
                                                         &std::free);
  if (!real) return fail_errno(errno, "find the directory of the mount file", path);
  return (fs::path(real.get()) / given.filename()).string();
}

MountState mount_state(const std::string& path) {
  if (!is_mount_point(path)) return MountState::none;
  struct statx facts {};
  // Cached attributes would hide that the server has gone; asked for, the kernel says ENOTCONN.
  const bool dead = ::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, STATX_SIZE, &facts) != 0 &&
                    (errno == ENOTCONN || errno == ECONNABORTED);
  return dead ? MountState::dead : MountState::alive;
}

Result<void> unmount(const std::string& path) {
  return take_off(path, false);
}

Result<void> detach(const std::string& path) {
  return take_off(path, true);
}

std::vector<std::string> users_of(const std::string& path) {
  std::vector<std::string> out;
  std::error_code error;
  for (const auto& block : fs::directory_iterator("/sys/block", error)) {
    if (read_line(block.path() / "loop/backing_file") == path) {
      out.push_back("/dev/" + block.path().filename().string());
    }
  }
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    // Our own descriptor is of the file below the mount, which has the same name.
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (pid == std::to_string(::getpid())) continue;
    if (has_open(process.path(), path)) {
      out.push_back(fmt::format("{} (pid {})", read_line(process.path() / "comm"), pid));
    }
  }
  return out;
}

Result<MountFile> MountFile::take(const std::string& path) {
  for (MountState state = mount_state(path); state != MountState::none; state = mount_state(path)) {
    if (state == MountState::alive) {
      return fail(ErrorCode::device_in_use, "something is mounted there already", path,
                  "stop it, or name another mount file");
    }
    if (const auto gone = detach(path); !gone) return tl::unexpected(gone.error());
  }
  bool made = false;
  auto fd = open_or_make(path, made);
  if (!fd) return tl::unexpected(fd.error());
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::device_in_use, "another program uses the mount file", path,
                "name another mount file");
  }
  return MountFile(path, std::move(*fd), made);
}

MountFile::~MountFile() {
  if (!fd_.valid() || !made_ || mount_state(path_) != MountState::none) return;
  struct stat mine {};
  struct stat there {};
  const bool same = ::fstat(fd_.get(), &mine) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
                    mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
  if (same && mine.st_size == 0) ::unlink(path_.c_str());
}

}  // namespace dmremap::lab
