// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/program_run.hpp"

#include <atomic>
#include <cerrno>

#include <gtest/gtest.h>
#include <sys/wait.h>

namespace dmremap::os {
namespace {

using How = ProgramEnd::How;
using Clock = std::chrono::steady_clock;

ProgramRun shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, std::chrono::minutes(5), 1'000'000};
}

TEST(RunProgram, HasItsOutputAndItsStatus) {
  const ProgramEnd end = run_program(shell("echo out; echo errors >&2; exit 4"));
  EXPECT_EQ(end.how, How::ended);
  EXPECT_EQ(end.output, "out\n");
  EXPECT_EQ(WEXITSTATUS(end.status), 4);
}

TEST(RunProgram, AProgramThatIsNotThere) {
  const ProgramEnd end = run_program({{"no-such-program-here"}});
  EXPECT_EQ(end.how, How::not_started);
  EXPECT_EQ(end.error, ENOENT);
}

TEST(RunProgram, ThrowsAwayWhatIsTooMuch) {
  ProgramRun run = shell("head -c 3000000 /dev/zero; echo end");
  run.most_bytes = 1'000;
  const ProgramEnd end = run_program(run);
  EXPECT_EQ(end.how, How::ended) << "it is not held up by a full pipe";
  EXPECT_EQ(end.output.size(), 1'000U);
}

TEST(RunProgram, KillsWhatHangsWithAllThatItStarted) {
  ProgramRun run = shell("sleep 1000 & echo begun; sleep 1000");
  run.at_most = std::chrono::milliseconds(300);
  const auto begun = Clock::now();
  const ProgramEnd end = run_program(run);
  EXPECT_EQ(end.how, How::timed_out);
  EXPECT_EQ(end.output, "begun\n");
  EXPECT_FALSE(end.left);
  EXPECT_LT(Clock::now() - begun, std::chrono::minutes(1));
}

TEST(RunProgram, OneThatClosesItsOutputAndGoesOnIsKilledToo) {
  ProgramRun run = shell("exec >&-; sleep 1000");
  run.at_most = std::chrono::milliseconds(300);
  EXPECT_EQ(run_program(run).how, How::timed_out);
}

TEST(RunProgram, EndsWhenItIsNotWantedAnyMore) {
  ProgramRun run = shell("sleep 1000");
  std::atomic<int> asked{0};
  run.wanted = [&] { return ++asked < 3; };
  const auto begun = Clock::now();
  EXPECT_EQ(run_program(run).how, How::unwanted);
  EXPECT_LT(Clock::now() - begun, std::chrono::minutes(1));
}

}  // namespace
}  // namespace dmremap::os
