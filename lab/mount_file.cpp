// SPDX-License-Identifier: GPL-2.0-or-later
#include "mount_file.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/mount_point.hpp"
#include "os/path.hpp"
#include "os/trusted_directory.hpp"
#include "os/usage.hpp"

namespace dmremap::lab {

namespace {

namespace fs = std::filesystem;

Result<void> take_off(const std::string& path, os::UnmountMode how) {
  const auto directory =
      os::TrustedDirectory::open_parent_of(path, os::PathTrust::no_foreign_links);
  if (!directory) return failure_of(directory);
  auto gone = os::unmount(*directory, fs::path(path).filename().string(), how);
  if (gone) return gone;
  Error error = gone.error();
  if (error.hint.empty()) error.hint = "see who uses it with fuser -vm";
  return tl::unexpected(std::move(error));
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
  return os::resolve_directory_of(path);
}

Result<void> unmount(const std::string& path) {
  return take_off(path, os::UnmountMode::if_unused);
}

Result<void> detach(const std::string& path) {
  return take_off(path, os::UnmountMode::detached);
}

std::vector<std::string> users_of(const std::string& path) {
  std::vector<std::string> out = os::loop_devices_on(path);
  for (const std::string& who : os::openers_of(path)) out.push_back("pid " + who);
  return out;
}

Result<MountFile> MountFile::take(const std::string& path) {
  while (true) {
    const os::MountState state = os::mount_state(path, kFileSystemType);
    if (state == os::MountState::none) break;
    if (state == os::MountState::alive) {
      return fail(ErrorCode::device_in_use, "something is mounted there already", path,
                  "stop it, or name another mount file");
    }
    if (const auto gone = detach(path); !gone) return failure_of(gone);
  }
  bool made = false;
  auto fd = open_or_make(path, made);
  if (!fd) return failure_of(fd);
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::device_in_use, "another program uses the mount file", path,
                "name another mount file");
  }
  return MountFile(path, std::move(*fd), made);
}

MountFile::~MountFile() {
  if (!fd_.valid() || !made_ || os::is_mounted(path_)) return;
  struct stat mine {};
  struct stat there {};
  const bool same = ::fstat(fd_.get(), &mine) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
                    mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
  if (same && mine.st_size == 0) ::unlink(path_.c_str());
}

}  // namespace dmremap::lab
