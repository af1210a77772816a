// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/program_run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/spawn.hpp"

namespace dmremap::os {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{100};
// For a killed program to be gone.
constexpr milliseconds kEndOfKilled{1'000};

// What is there to read, into `output` as far as that has room. False: the end of it.
bool take_output(int fd, std::size_t most_bytes, std::string& output) {
  std::array<char, 65536> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  output.append(buffer.data(), std::min(static_cast<std::size_t>(got), most_bytes - output.size()));
  return true;
}

// How it ended, if it did by itself: its output is at an end, and the process too.
std::optional<int> ended(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, WNOHANG) == child) return status;
  return std::nullopt;
}

void kill_all_of(pid_t child, ProgramEnd& end) {
  // Its session is its process group.
  ::kill(-child, SIGKILL);
  const auto deadline = Clock::now() + kEndOfKilled;
  while (!reap(child)) {
    if (Clock::now() >= deadline) {
      end.left = child;
      return;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
}

}  // namespace

ProgramEnd run_program(const ProgramRun& run) {
  ProgramEnd end;
  auto pipe = make_pipe();
  if (!pipe) return {ProgramEnd::How::not_started, EMFILE, 0, {}, {}};
  Command command{run.words};
  command.output = pipe->writing.get();
  command.own_session = true;
  const auto child = spawn(command);
  if (!child) return {ProgramEnd::How::not_started, child.error(), 0, {}, {}};
  pipe->writing = FileDescriptor();
  const auto deadline = Clock::now() + run.at_most;
  bool more = true;
  for (;;) {
    if (!more) {
      if (const auto status = ended(*child)) {
        end.status = *status;
        return end;
      }
      std::this_thread::sleep_for(milliseconds(5));
    } else {
      pollfd output{pipe->reading.get(), POLLIN, 0};
      if (::poll(&output, 1, static_cast<int>(kLookEvery.count())) > 0) {
        more = take_output(pipe->reading.get(), run.most_bytes, end.output);
      }
    }
    const bool wanted = !run.wanted || run.wanted();
    if (wanted && Clock::now() < deadline) continue;
    end.how = wanted ? ProgramEnd::How::timed_out : ProgramEnd::How::unwanted;
    kill_all_of(*child, end);
    return end;
  }
}

bool reap(pid_t child) {
  int status = 0;
  const pid_t got = ::waitpid(child, &status, WNOHANG);
  return got == child || (got < 0 && errno == ECHILD);
}

}  // namespace dmremap::os
