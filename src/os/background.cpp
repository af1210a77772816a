// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/background.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "os/descriptor_io.hpp"
#include "os/spawn.hpp"

namespace dmremap::os {

bool Announcement::say(std::string_view text) {
  return pipe_.valid() && write_all(pipe_.get(), text, {}).has_value();
}

Result<BackgroundFork> fork_to_background() {
  auto pipe = make_pipe();
  if (!pipe) return failure_of(pipe);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "start a process", {});
  BackgroundFork out;
  if (child == 0) {
    ::setsid();
    out.child.emplace(std::move(pipe->writing));
  } else {
    out.child_pid = child;
    out.announced = std::move(pipe->reading);
  }
  return out;
}

Result<void> leave_terminal(const FileDescriptor& log) {
  const FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing.valid()) return fail_errno(errno, "open", "/dev/null");
  if (::chdir("/") != 0) return fail_errno(errno, "go to", "/");
  ::dup2(nothing.get(), STDIN_FILENO);
  const int output = log.valid() ? log.get() : nothing.get();
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  return {};
}

void close_all_but(int kept) {
  const auto edge = static_cast<unsigned>(kept);
  if (edge > 3) ::close_range(3, edge - 1, 0);
  ::close_range(edge + 1, ~0U, 0);
}

}  // namespace dmremap::os
