// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dmremap::os {

namespace {

// posix_spawn's description of the new process, freed at the end of its scope.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&files_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&files_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void give(int target, int source) {
    if (source == kNothing) {
      ::posix_spawn_file_actions_addopen(&files_, target, "/dev/null", O_RDWR, 0);
    } else {
      ::posix_spawn_file_actions_adddup2(&files_, source, target);
    }
  }
  void close_from(int first) { ::posix_spawn_file_actions_addclosefrom_np(&files_, first); }
  void begin_session() {
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  }
  // An errno.
  int start(pid_t& child, char* const* words) const {
    return ::posix_spawnp(&child, words[0], &files_, &attributes_, words, environ);
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

}  // namespace

tl::expected<pid_t, int> spawn(const Command& command) {
  std::vector<char*> words;
  words.reserve(command.words.size() + 1);
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  SpawnPlan plan;
  plan.give(STDIN_FILENO, command.input);
  plan.give(STDOUT_FILENO, command.output);
  plan.give(STDERR_FILENO, command.errors);
  const int after_passed = kPassedFd + static_cast<int>(command.passed.size());
  std::vector<FileDescriptor> moved;
  for (std::size_t i = 0; i < command.passed.size(); ++i) {
    // Out of the way: one that is given first could take the number of one that is given later.
    moved.emplace_back(::fcntl(command.passed[i], F_DUPFD_CLOEXEC, after_passed));
    if (!moved.back().valid()) return tl::unexpected(errno);
    plan.give(kPassedFd + static_cast<int>(i), moved.back().get());
  }
  if (!command.passed.empty()) plan.close_from(after_passed);
  if (command.own_session) plan.begin_session();
  pid_t child = -1;
  if (const int error = plan.start(child, words.data()); error != 0) {
    return tl::unexpected(error);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string end_in_words(int status) {
  return WIFSIGNALED(status) ? fmt::format("was killed by signal {}", WTERMSIG(status))
                             : fmt::format("ended with status {}", WEXITSTATUS(status));
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "make a pipe", {});
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

}  // namespace dmremap::os
