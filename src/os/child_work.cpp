// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/child_work.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "os/spawn.hpp"

namespace dmremap::os {

namespace {

// Returns in processes that the work has forked.
int work_as_child(const std::function<int()>& work, int answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const pid_t self = ::getpid();
  const int status = work();
  if (::getpid() != self) return status;
  std::fflush(nullptr);
  (void)!::write(answer, &status, sizeof status);
  // Whoever reads its output waits for its end, and whoever takes a device down for its
  // descriptors: a thread that hangs would keep all of them.
  ::close_range(0, ~0U, 0);
  ::_exit(status);
}

}  // namespace

int run_in_child(const std::function<int()>& work) {
  auto pipe = make_pipe();
  std::fflush(nullptr);
  const pid_t child = pipe ? ::fork() : -1;
  if (child < 0) return work();
  if (child == 0) {
    pipe->reading.reset();
    return work_as_child(work, pipe->writing.get());
  }
  pipe->writing.reset();
  int status = 0;
  ssize_t got = 0;
  do {
    got = ::read(pipe->reading.get(), &status, sizeof status);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof status)) return status;
  const int end = wait_for(child);
  return WIFSIGNALED(end) ? 128 + WTERMSIG(end) : WEXITSTATUS(end);
}

}  // namespace dmremap::os
