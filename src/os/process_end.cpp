// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process_end.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dmremap::os {

FileDescriptor process_descriptor(pid_t pid) {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool is_ending(pid_t pid) {
  if (pid <= 0) return true;
  const FileDescriptor process = process_descriptor(pid);
  if (!process.valid()) return errno == ESRCH;
  pollfd gone{process.get(), POLLIN, 0};
  if (::poll(&gone, 1, 0) > 0) return true;
  // A process that was killed has the signal pending until its threads have taken note of it, or is
  // a zombie with threads that still wait for a device.
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:") && line.find_first_of("ZX") != std::string::npos) return true;
    if (!line.starts_with("SigPnd:") && !line.starts_with("ShdPnd:")) continue;
    const std::uint64_t pending = std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 16);
    if ((pending >> (SIGKILL - 1) & 1U) != 0) return true;
  }
  return false;
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
