// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/mount_file.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dmremap::fuse {

namespace {

// Makes the file; false if there is one of that name.
Result<bool> make_file(const os::TrustedDirectory& directory, const std::string& name,
                       const std::string& path) {
  const FileDescriptor made(::openat(directory.fd(), name.c_str(),
                                     O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (made.valid()) return true;
  if (errno == EEXIST) return false;
  return fail_errno(errno, "make the mount file", path);
}

Result<void> check_file(int file, const std::string& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return fail_errno(errno, "look at", path);
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::usage, "the disk can only appear at a regular file", path,
                "name a path where there is nothing yet, or a regular file");
  }
  // In a directory with the sticky bit, the owner of the file could remove it again.
  if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
    return fail(ErrorCode::permission,
                fmt::format("the file belongs to another user (uid {})", status.st_uid), path,
                "name a path where there is nothing yet");
  }
  return {};
}

}  // namespace

MountFile::MountFile(os::TrustedDirectory directory, std::string name, FileDescriptor file,
                     bool is_new)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      path_((std::filesystem::path(directory_.path()) / name_).string()),
      file_(std::move(file)),
      is_new_(is_new) {}

Result<MountFile> MountFile::provide(const std::string& path) {
  auto directory = os::TrustedDirectory::open_parent_of(path, os::PathTrust::no_foreign_changes);
  if (!directory) return failure_of(directory);
  const std::string name = std::filesystem::path(path).filename().string();
  const auto made = make_file(*directory, name, path);
  if (!made) return failure_of(made);
  FileDescriptor file(::openat(directory->fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return fail_errno(errno, "open", path);
  MountFile out(std::move(*directory), name, std::move(file), *made);
  if (auto fine = check_file(out.file_.get(), path); !fine) {
    out.remove();
    return failure_of(fine);
  }
  return out;
}

Result<FileDescriptor> MountFile::mount(bool read_only) const {
  FileDescriptor connection(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!connection.valid()) return fail_errno(errno, "use FUSE", "/dev/fuse");
  // Documentation/filesystems/fuse.rst. The type and the source name our file systems in
  // /proc/mounts.
  const std::string options =
      fmt::format("fd={},rootmode={:o},user_id={},group_id={},default_permissions",
                  connection.get(), static_cast<unsigned>(S_IFREG), ::geteuid(), ::getegid());
  const std::string place = fmt::format("/proc/self/fd/{}", file_.get());
  unsigned long flags = MS_NOSUID | MS_NODEV;
  if (read_only) flags |= MS_RDONLY;
  if (::mount("dm-remap", place.c_str(), os::kSetFileSystemType, flags, options.c_str()) != 0) {
    return fail_errno(errno, "mount", path_, "see that mounting is allowed here");
  }
  return connection;
}

void MountFile::remove() {
  if (is_new_) ::unlinkat(directory_.fd(), name_.c_str(), 0);
  is_new_ = false;
}

}  // namespace dmremap::fuse
