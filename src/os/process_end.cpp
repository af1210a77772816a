// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process_end.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dmremap::os {

FileDescriptor process_descriptor(pid_t pid) {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

ProcessEnd::ProcessEnd(pid_t pid) : process_(process_descriptor(pid)) {}

bool ProcessEnd::wait(std::chrono::milliseconds at_most) const {
  if (!process_.valid()) return true;
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd gone{process_.get(), POLLIN, 0};
    const int ready = ::poll(&gone, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

}  // namespace dmremap::os
