// SPDX-License-Identifier: GPL-2.0-or-later
// The regular file that the disk is mounted over. It is held by descriptor from before the mount
// until the end, so that no other user can put another file in its place between two steps.
#pragma once

#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "os/mount_point.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::fuse {

// Movable. One thread at a time.
class MountFile {
 public:
  // Makes the file, or takes the regular file of root's or this user's that is there. Errors:
  // permission, if other users may change a directory on the way or own the file; usage, if it is
  // no regular file; io.
  static Result<MountFile> provide(const std::string& path);

  // The path as the kernel names it.
  [[nodiscard]] const std::string& path() const { return path_; }
  // Needs root. Mounts a FUSE connection over the very file that is held, and returns the
  // connection. Error permission if mounting is not allowed (a container): fusermount3(1) may be
  // able to.
  [[nodiscard]] Result<FileDescriptor> mount(bool read_only) const;
  Result<void> unmount(os::UnmountMode how) const { return os::unmount(directory_, name_, how); }
  // Removes the file if provide() made it. Unmount first.
  void remove();

 private:
  MountFile(os::TrustedDirectory directory, std::string name, FileDescriptor file, bool is_new);

  os::TrustedDirectory directory_;
  std::string name_;
  std::string path_;
  FileDescriptor file_;  // O_PATH
  bool is_new_;
};

}  // namespace dmremap::fuse
