// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/program_run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/runtime_directory.hpp"
#include "os/sealed_memory.hpp"
#include "os/spawn.hpp"

namespace dmremap::os {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kQuotedBytes = 200;
// A process that was killed is usually gone at once. One that hangs in a device is not waited for.
constexpr milliseconds kEndOfKilled{2000};
constexpr const char* kSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A running child: its end, and what it writes to stderr.
class Child {
 public:
  Child(pid_t pid, FileDescriptor errors)
      : pid_(pid),
        process_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
        errors_(std::move(errors)) {}

  // True once it has ended; false at the deadline.
  bool wait_until(steady_clock::time_point deadline) {
    while (true) {
      const auto left =
          std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
      std::array<pollfd, 2> fds{{{process_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}}};
      const int ready =
          ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long>(left, 0, 3'600'000)));
      if (ready < 0 && errno != EINTR) return false;
      if (ready > 0 && fds[1].revents != 0) take_errors();
      if (ready > 0 && fds[0].revents != 0) {
        while (errors_.valid() && take_errors()) {
        }
        return true;
      }
      if (steady_clock::now() >= deadline) return false;
    }
  }

  // All processes of its group. It leads one, because it has a session of its own.
  void kill() const { ::kill(-pid_, SIGKILL); }
  [[nodiscard]] int status() const { return wait_for(pid_); }
  [[nodiscard]] std::string first_line() const { return said_.substr(0, said_.find('\n')); }

 private:
  // False if there is nothing more at present.
  bool take_errors() {
    std::array<char, 4096> chunk;
    const ssize_t got = ::read(errors_.get(), chunk.data(), chunk.size());
    if (got < 0) return errno == EINTR;
    if (got == 0) {
      errors_.reset();
      return false;
    }
    const auto room = kQuotedBytes - std::min(kQuotedBytes, said_.size());
    said_.append(chunk.data(), std::min(room, static_cast<std::size_t>(got)));
    return true;
  }

  pid_t pid_;
  FileDescriptor process_;
  FileDescriptor errors_;
  std::string said_;
};

std::string seconds_text(milliseconds time) {
  return fmt::format("{} s", static_cast<double>(time.count()) / 1000);
}

Result<void> may_be_executed(const std::string& program) {
  struct stat status {};
  if (::stat(program.c_str(), &status) != 0)
    return fail_errno(errno, "run it", program, "name a program that is there");
  if (!S_ISREG(status.st_mode) || ::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::permission, "is no program that may be executed", program,
                "name one, or make it executable: chmod +x");
  }
  return {};
}

}  // namespace

Result<void> run_program(const ProgramRun& run) {
  const std::string& program = run.words.front();
  const auto input = seal(std::as_bytes(std::span(run.input)));
  if (!input) return failure_of(input);
  ::lseek(input->get(), 0, SEEK_SET);
  auto pipe = make_pipe();
  if (!pipe) return failure_of(pipe);
  if (::fcntl(pipe->reading.get(), F_SETFL, O_NONBLOCK) != 0) {
    return fail_errno(errno, "set up a pipe", program);
  }
  Command command{run.words};
  command.input = input->get();
  command.errors = pipe->writing.get();
  command.own_session = true;
  const auto pid = spawn(command);
  if (!pid) return fail_errno(pid.error(), "run it", program);
  pipe->writing.reset();
  Child child(*pid, std::move(pipe->reading));
  if (!child.wait_until(steady_clock::now() + run.deadline)) {
    child.kill();
    if (child.wait_until(steady_clock::now() + kEndOfKilled)) (void)child.status();
    return fail(ErrorCode::timeout,
                fmt::format("was not done after {}, and was killed", seconds_text(run.deadline)),
                program, "see what it waits for");
  }
  const int status = child.status();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string said = child.first_line();
  return fail(ErrorCode::io, end_in_words(status) + (said.empty() ? "" : ": " + said), program,
              "run it by hand to see why");
}

Result<void> check_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return may_be_executed(program);
  std::string path = environment("PATH");
  if (path.empty()) path = kSearchPath;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const fs::path candidate = fs::path(path.substr(at, end - at)) / program;
    if (may_be_executed(candidate)) return {};
    at = end + 1;
  }
  return fail(ErrorCode::no_such_device, "there is no such program in PATH", program,
              "name it with its directory");
}

}  // namespace dmremap::os
