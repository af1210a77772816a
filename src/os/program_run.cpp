// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/program_run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process_end.hpp"
#include "os/runtime_directory.hpp"
#include "os/sealed_memory.hpp"
#include "os/spawn.hpp"

namespace dmremap::os {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using How = ProgramEnd::How;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{100};
constexpr std::size_t kQuotedBytes = 200;
// A process that was killed is usually gone at once. One that hangs in a device is not waited for.
constexpr milliseconds kEndOfKilled{2'000};
constexpr const char* kSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Of one of a child's standard files, the first `most` bytes that it writes to it.
class Stream {
 public:
  explicit Stream(std::size_t most) : most_(most) {}

  // The end for the child. An errno is in the error.
  Result<int> open() {
    auto pipe = make_pipe();
    if (!pipe) return failure_of(pipe);
    reading_ = std::move(pipe->reading);
    writing_ = std::move(pipe->writing);
    if (::fcntl(reading_.get(), F_SETFL, O_NONBLOCK) != 0) {
      return fail_errno(errno, "set up a pipe", {});
    }
    return writing_.get();
  }
  void close_childs_end() { writing_.reset(); }
  [[nodiscard]] pollfd watched() const { return {reading_.get(), POLLIN, 0}; }
  // What is there now.
  void take() {
    std::array<char, 4096> chunk;
    while (reading_.valid()) {
      const ssize_t got = ::read(reading_.get(), chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return;
      if (got == 0) reading_.reset();
      const std::size_t room = most_ - text_.size();
      text_.append(chunk.data(), std::min(room, static_cast<std::size_t>(got)));
    }
  }
  [[nodiscard]] std::string& text() { return text_; }

 private:
  const std::size_t most_;
  FileDescriptor reading_;
  FileDescriptor writing_;
  std::string text_;
};

// Waits for the child to end, reading what it writes; false if it was killed.
bool wait_for_end(const ProgramRun& run, pid_t child, Stream& output, Stream& errors,
                  ProgramEnd& end) {
  const FileDescriptor process = process_descriptor(child);
  const auto deadline = Clock::now() + run.at_most;
  for (;;) {
    std::array<pollfd, 3> watched{output.watched(), errors.watched(), {process.get(), POLLIN, 0}};
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(kLookEvery.count()));
    const bool ended = ready > 0 && watched[2].revents != 0;
    output.take();
    errors.take();
    if (ended) return true;
    const bool wanted = !run.wanted || run.wanted();
    if (wanted && Clock::now() < deadline) continue;
    end.how = wanted ? How::timed_out : How::unwanted;
    // Its session is its process group.
    ::kill(-child, SIGKILL);
    pollfd gone{process.get(), POLLIN, 0};
    if (::poll(&gone, 1, static_cast<int>(kEndOfKilled.count())) <= 0) end.left = child;
    return false;
  }
}

ProgramEnd not_started(int error) {
  ProgramEnd out;
  out.how = How::not_started;
  out.error = error;
  return out;
}

std::string seconds_text(milliseconds time) {
  return fmt::format("{} s", static_cast<double>(time.count()) / 1000);
}

Result<void> may_be_executed(const std::string& program) {
  struct stat status {};
  if (::stat(program.c_str(), &status) != 0) return fail_errno(errno, "run it", program);
  if (!S_ISREG(status.st_mode) || ::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::permission, "is no program that may be executed", program,
                "name one, or make it executable: chmod +x");
  }
  return {};
}

}  // namespace

ProgramEnd run_to_end(const ProgramRun& run) {
  const auto input = seal(std::as_bytes(std::span(run.input)));
  if (!input) return not_started(ENOMEM);
  ::lseek(input->get(), 0, SEEK_SET);
  Stream output(run.most_bytes);
  Stream errors(kQuotedBytes);
  const auto output_end = output.open();
  const auto errors_end = errors.open();
  if (!output_end || !errors_end) return not_started(EMFILE);
  Command command{run.words};
  command.input = input->get();
  command.output = *output_end;
  command.errors = *errors_end;
  command.own_session = true;
  const auto child = spawn(command);
  if (!child) return not_started(child.error());
  output.close_childs_end();
  errors.close_childs_end();
  ProgramEnd end;
  const bool ended = wait_for_end(run, *child, output, errors, end);
  if (!end.left) {
    const int status = wait_for(*child);
    if (ended) end.status = status;
  }
  end.output = std::move(output.text());
  end.said = errors.text().substr(0, errors.text().find('\n'));
  return end;
}

bool reap(pid_t child) {
  int status = 0;
  const pid_t got = ::waitpid(child, &status, WNOHANG);
  return got == child || (got < 0 && errno == ECHILD);
}

Result<void> run_program(const ProgramRun& run) {
  const std::string& program = run.words.front();
  const ProgramEnd end = run_to_end(run);
  switch (end.how) {
    case How::not_started:
      return fail_errno(end.error, "run it", program);
    case How::timed_out:
    case How::unwanted:
      return fail(ErrorCode::timeout,
                  fmt::format("was not done after {}, and was killed", seconds_text(run.at_most)),
                  program, "see what it waits for");
    case How::ended:
      break;
  }
  if (WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0) return {};
  return fail(ErrorCode::io, end_in_words(end.status) + (end.said.empty() ? "" : ": " + end.said),
              program, "run it by hand to see why");
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
