// SPDX-License-Identifier: GPL-2.0-or-later
// A directory that was named from outside (an option, a variable of the environment, a file),
// resolved once and from then on held by its descriptor.
//
// A program that runs as root must not act on a path twice: between making a file and mounting over
// it, another user who owns a directory on the way may replace any component by a symbolic link,
// and the second step happens somewhere else in the system. So a path is walked once, component by
// component, each opened without following links (openat(2), O_PATH, O_NOFOLLOW) and judged by
// what was opened, not by its name. Everything after that goes through the descriptor.
#pragma once

#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// How much of a path other users may control, that is users other than root and the user of this
// process.
enum class PathTrust {
  // No symbolic link of another user is followed. Directories may belong to other users: a file
  // made in one lies where the path says, but the owner may remove it again.
  no_foreign_links,
  // Besides, no other user can exchange anything on the way: every directory belongs to root or to
  // this user, and other users may write to it only if the sticky bit protects our entries.
  no_foreign_changes,
};

// Movable. One thread.
class TrustedDirectory {
 public:
  // Walks to `directory`, which may be relative; empty is the current directory. Errors:
  // no_such_device (ENOENT), permission (names the component that another user may change, and who
  // owns it), io.
  static Result<TrustedDirectory> open(const std::string& directory, PathTrust trust);
  // The directory that a file's path lies in.
  static Result<TrustedDirectory> open_parent_of(const std::string& path, PathTrust trust);

  // An O_PATH descriptor, for the *at(2) calls. Valid as long as this object.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The directory as the kernel names it, without links; for messages and for programs that want a
  // name.
  [[nodiscard]] const std::string& path() const { return path_; }
  // A path to an entry of the directory that stays valid even if names on the way are changed.
  [[nodiscard]] std::string entry(const std::string& name) const;

 private:
  TrustedDirectory(FileDescriptor fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  FileDescriptor fd_;
  std::string path_;
};

}  // namespace dmremap::os
