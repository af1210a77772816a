// SPDX-License-Identifier: GPL-2.0-or-later
// Waits for the end of a process that is not a child.
#pragma once

#include <chrono>

#include <sys/types.h>

#include "base/file_descriptor.hpp"

namespace dmremap::os {

// Made while the process lives, so that its number cannot be another's by the time of the wait.
class ProcessEnd {
 public:
  explicit ProcessEnd(pid_t pid);
  // True if the process is gone with all its threads, and with them its open files and devices;
  // or if there was none. False if time was up first.
  [[nodiscard]] bool wait(std::chrono::milliseconds at_most) const;

 private:
  FileDescriptor process_;  // pidfd_open(2); not valid: there is no such process
};

}  // namespace dmremap::os
