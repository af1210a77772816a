// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/child_work.hpp"

#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/spawn.hpp"

namespace dmremap::os {
namespace {

TEST(ChildWork, ReturnsWhatTheWorkReturned) {
  const pid_t self = ::getpid();
  EXPECT_EQ(run_in_child([] { return 0; }), 0);
  EXPECT_EQ(run_in_child([&] { return ::getpid() == self ? 1 : 4; }), 4) << "in another process";
}

TEST(ChildWork, OneThatIsKilledIsReportedAsAShellDoes) {
  EXPECT_EQ(run_in_child([] { return ::raise(SIGKILL); }), 128 + SIGKILL);
  EXPECT_EQ(run_in_child([]() -> int { ::_exit(3); }), 3);
}

// A device would be held, and whoever reads the output would wait.
TEST(ChildWork, WhatIsLeftOfItHasNoFiles) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_EQ(run_in_child([] { return 0; }), 0);
  pipe->writing.reset();
  char byte = 0;
  EXPECT_EQ(::read(pipe->reading.get(), &byte, 1), 0);
}

TEST(ChildWork, ReturnsInProcessesThatTheWorkForks) {
  const pid_t self = ::getpid();
  const int status = run_in_child([] {
    const pid_t forked = ::fork();
    if (forked == 0) return 7;
    int end = 0;
    ::waitpid(forked, &end, 0);
    return WEXITSTATUS(end);
  });
  if (::getpid() != self) ::_exit(status + 1);
  EXPECT_EQ(status, 8);
}

}  // namespace
}  // namespace dmremap::os
