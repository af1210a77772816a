// SPDX-License-Identifier: GPL-2.0-or-later
// A root directory in memory. While one process that serves the root file system follows another,
// whoever looks for a file there waits for a process that is not there: even a file in the page
// cache has its time of access written. From a root directory in memory nothing of it can be
// reached, and what is looked for all the same is not there, at once.
#pragma once

#include <memory>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Has what the kernel keeps in memory, each at its place: /dev, /proc, /run and /sys, without what
// is mounted below /dev, /proc and /run. It cannot be written to but there. It lies in a mount
// namespace of its own, so that nobody else sees it, nothing is to be unmounted, and this process
// stays where it was but for its root directory. That lists no mounts (/proc/self/mountinfo) while
// it is this one. Not thread-safe.
class MemoryRoot {
 public:
  // Errors: not_supported, if one of the four directories lies on the root file system; permission,
  // io.
  static Result<std::unique_ptr<MemoryRoot>> make();
  MemoryRoot(const MemoryRoot&) = delete;
  MemoryRoot& operator=(const MemoryRoot&) = delete;
  // Leaves it.
  ~MemoryRoot();

  // From now on each path of this process, in all of its threads and in the programs that it
  // starts, is looked for there; its working directory is /. Does nothing a second time. Errors:
  // permission, io.
  [[nodiscard]] Result<void> enter();
  // The root directory is again what it was when this was made, and the working directory that.
  // Does nothing where it was not entered. Errors as of enter().
  [[nodiscard]] Result<void> leave();

 private:
  MemoryRoot() = default;

  FileDescriptor former_;     // the root directory of before
  FileDescriptor root_;       // this one
  FileDescriptor namespace_;  // keeps its mounts together while no process is in it
  bool is_entered_ = false;
};

}  // namespace dmremap::os
