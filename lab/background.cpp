// SPDX-License-Identifier: GPL-2.0-or-later
#include "background.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::lab {

namespace {

// The child's end of the pipe on which it says that it is ready.
FileDescriptor& ready_pipe() {
  static FileDescriptor pipe;
  return pipe;
}

int failed(const char* doing) {
  fmt::print(stderr, "dmremap-lab: {}\n", fail_errno(errno, doing, {}).value().message());
  return 1;
}

int wait_for_child(int pipe, pid_t child) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(pipe, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) return 0;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return code != 0 ? code : 1;  // it ended before it was ready: that is no success
}

}  // namespace

std::optional<int> split_off() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("make a pipe");
  const FileDescriptor from_child(ends[0]);
  FileDescriptor to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return failed("start a process");
  if (child > 0) {
    to_parent.reset();
    return wait_for_child(from_child.get(), child);
  }
  ::setsid();
  ready_pipe() = std::move(to_parent);
  return std::nullopt;
}

Result<void> leave_terminal(const std::string& log_path) {
  const FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const FileDescriptor log(
      ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (!nothing.valid() || !log.valid()) return fail_errno(errno, "open the log", log_path);
  // Any directory we stood in could not be unmounted as long as we run.
  if (::chdir("/") != 0) return fail_errno(errno, "go to", "/");
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(log.get(), STDOUT_FILENO);
  ::dup2(log.get(), STDERR_FILENO);
  const char byte = 'r';
  const ssize_t told = ::write(ready_pipe().get(), &byte, 1);
  ready_pipe().reset();
  if (told != 1) return fail_errno(errno, "tell the command that started the lab", log_path);
  return {};
}

}  // namespace dmremap::lab
