// SPDX-License-Identifier: GPL-2.0-or-later
// The mount file: the regular file over which the disk appears.
#pragma once

#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::lab {

// The lab's mounts in /proc/mounts.
inline constexpr const char* kFileSystemType = "fuse.dmremap-lab";

// The absolute path as the kernel will name it. Resolves the directory only: the file itself may
// be absent, or a dead mount that nothing can look at. Errors: no_such_device, usage.
[[nodiscard]] Result<std::string> absolute_path(const std::string& path);

// Refused (device_in_use) while anyone has the mounted file open.
[[nodiscard]] Result<void> unmount(const std::string& path);

// Takes the mount out of the tree at once; it ends when its last user closes it.
[[nodiscard]] Result<void> detach(const std::string& path);

// Who has the mounted file open: loop devices by name, programs by name and pid.
[[nodiscard]] std::vector<std::string> users_of(const std::string& path);

// The regular file under the mount, locked against a second lab for as long as this lives. Not
// thread-safe.
class MountFile {
 public:
  // Makes it if it is absent, and takes dead mounts off it. Errors: device_in_use (a mount that
  // answers, or another lab), not_a_device, permission, io.
  static Result<MountFile> take(const std::string& path);

  MountFile(MountFile&&) = default;
  MountFile& operator=(MountFile&&) = delete;
  ~MountFile();  // removes it again, if it was made here and nothing covers it

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  MountFile(std::string path, FileDescriptor fd, bool made)
      : path_(std::move(path)), fd_(std::move(fd)), made_(made) {}

  std::string path_;
  FileDescriptor fd_;
  bool made_;
};

}  // namespace dmremap::lab
