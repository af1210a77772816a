// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/process.hpp"

#include <csignal>
#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/process_end.hpp"

namespace dmremap::os {
namespace {

// In a process of its own: what is arranged lasts as long as the process.
bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string locked_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmLck:")) return line.substr(line.find_first_of("0123456789"));
  }
  return {};
}

TEST(Process, EitherLocksItsMemoryOrSaysWhyNot) {
  EXPECT_TRUE(holds_in_child([] {
    const auto locked = lock_memory();
    if (locked) return locked_memory() != "0 kB";
    return !locked.error().what.empty() &&
           (locked.error().code == ErrorCode::not_supported || !locked.error().hint.empty());
  }));
}

TEST(Process, KeepsTheOomKillerAwayOrSaysWhyNot) {
  EXPECT_TRUE(holds_in_child([] {
    const auto avoided = avoid_oom_killer();
    if (!avoided) return !avoided.error().hint.empty();
    std::string score;
    std::ifstream("/proc/self/oom_score_adj") >> score;
    return score == "-1000";
  }));
}

TEST(Process, ASmallMachineGivesLess) {
  constexpr std::uint64_t kMiB = 1'048'576;
  const MemoryPolicy small = memory_policy(64 * kMiB);
  const MemoryPolicy usual = memory_policy(4096 * kMiB);
  EXPECT_LT(small.request_threads, usual.request_threads);
  EXPECT_GE(small.request_threads, 2U) << "one that waits must not stop all others";
  // Beside the program with its libraries and the engine, which take 20 MiB.
  EXPECT_LE(small.heap_reserve_bytes + (small.request_threads + 1) * kMiB * 5 / 4, 12 * kMiB);
  EXPECT_LE(usual.heap_reserve_bytes + (usual.request_threads + 1) * kMiB * 5 / 4, 32 * kMiB);
}

TEST(Process, AGroupWithALimitIsASmallMachineByEitherVersion) {
  const std::vector<std::string> both{"/sys/fs/cgroup/memory/a/b:c/memory.limit_in_bytes",
                                      "/sys/fs/cgroup/d/memory.max"};
  EXPECT_EQ(memory_limits_of("9:name=systemd:/\n5:hugetlb,memory:/a/b:c\n0::/d"), both);
  EXPECT_EQ(memory_limits_of("0::/system.slice/x.service"),
            std::vector<std::string>{"/sys/fs/cgroup/system.slice/x.service/memory.max"});
  EXPECT_TRUE(memory_limits_of("1:cpu,memory2:/\n\nnonsense\n3:").empty());
}

TEST(Process, WhatCouldNotBeHadIsSaidInWords) {
  EXPECT_TRUE(holds_in_child([] {
    for (const std::string& missing : protect_io_process()) {
      if (missing.empty()) return false;
    }
    return true;
  }));
}

TEST(Process, OneThatWasKilledIsEndingAlthoughItIsStillThere) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (;;) ::pause();
  }
  EXPECT_FALSE(is_ending(child));
  EXPECT_FALSE(is_ending(::getpid()));
  // Stopped, it cannot take note of the signal before this looks.
  ASSERT_EQ(::kill(child, SIGSTOP), 0);
  EXPECT_FALSE(is_ending(child));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  EXPECT_TRUE(is_ending(child));
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(is_ending(child)) << "a zombie";
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(is_ending(child));
  EXPECT_TRUE(is_ending(-1));
}

}  // namespace
}  // namespace dmremap::os
