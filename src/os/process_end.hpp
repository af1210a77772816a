// SPDX-License-Identifier: GPL-2.0-or-later
// The end of another process, a child or not.
#pragma once

#include <chrono>

#include <sys/types.h>

#include "base/file_descriptor.hpp"

namespace dmremap::os {

// Readable once the process is gone with all its threads, and with them its open files and devices
// (pidfd_open(2)). Not valid, with errno, if there is no such process.
[[nodiscard]] FileDescriptor process_descriptor(pid_t pid);

// True if there is no such process, if all that is left of it waits for its parent, or if it has
// been killed and is about to go: it does nothing for anybody any more.
[[nodiscard]] bool is_ending(pid_t pid);

// Made while the process lives, so that its number cannot be another's by the time of the wait.
class ProcessEnd {
 public:
  explicit ProcessEnd(pid_t pid);
  // True if the process is gone, or if there was none. False if time was up first.
  [[nodiscard]] bool wait(std::chrono::milliseconds at_most) const;

 private:
  FileDescriptor process_;  // not valid: there was none
};

}  // namespace dmremap::os
