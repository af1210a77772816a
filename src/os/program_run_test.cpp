// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/program_run.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dmremap::os {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLong{20'000};

Result<void> run_shell(const std::string& text, const std::string& input = {},
                       milliseconds deadline = kLong) {
  return run_program({{"sh", "-c", text}, input, deadline});
}

TEST(ProgramRun, AProgramReadsItsInputToTheEnd) {
  EXPECT_TRUE(run_shell("test \"$(cat)\" = 'two words'", "two words"));
  const std::string large(std::size_t{1} << 20, 'x');
  EXPECT_TRUE(run_shell("test $(wc -c) -eq 1048576", large));
  EXPECT_TRUE(run_shell("exit 0", large)) << "one that reads nothing is no error";
}

TEST(ProgramRun, AnErrorQuotesTheFirstLine) {
  const auto done = run_shell("echo it is so >&2; echo more >&2; exit 7");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().what, "ended with status 7: it is so");
  EXPECT_EQ(run_shell("kill -9 $$").error().what, "was killed by signal 9");
}

TEST(ProgramRun, OneThatSaysTooMuchIsReadToItsEnd) {
  const auto done = run_shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::io);
  EXPECT_LT(done.error().what.size(), 300U);
}

TEST(ProgramRun, OneThatHangsIsKilledWithItsChildren) {
  const std::string mark = testing::TempDir() + "/hanging-child";
  std::filesystem::remove(mark);
  const auto begun = steady_clock::now();
  const auto done =
      run_shell("trap '' TERM; (sleep 3; touch " + mark + ") & sleep 60", {}, milliseconds(200));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::timeout);
  EXPECT_EQ(done.error().what, "was not done after 0.2 s, and was killed");
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(30));
  ::usleep(3'500'000);
  EXPECT_FALSE(std::filesystem::exists(mark)) << "its child is dead, too";
}

TEST(ProgramRun, WhatAProgramLeavesInTheBackgroundIsNotWaitedFor) {
  const auto begun = steady_clock::now();
  EXPECT_TRUE(run_shell("sleep 15 & exit 0"));
  EXPECT_LT(steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST(ProgramRun, WhatIsNoProgramIsAnError) {
  EXPECT_EQ(run_program({{"/no/such/program"}, {}, kLong}).error().code, ErrorCode::no_such_device);
  EXPECT_EQ(check_program("/no/such/program").error().code, ErrorCode::no_such_device);
  EXPECT_EQ(check_program("dmremap-no-such-program").error().code, ErrorCode::no_such_device);
  const std::string text = testing::TempDir() + "/no-program";
  std::ofstream(text) << "#!/bin/sh\n";
  EXPECT_EQ(check_program(text).error().code, ErrorCode::permission);
  EXPECT_EQ(run_program({{text}, {}, kLong}).error().code, ErrorCode::permission);
  EXPECT_EQ(check_program("/tmp").error().code, ErrorCode::permission);
  EXPECT_TRUE(check_program("sh"));
  EXPECT_TRUE(check_program("/bin/sh"));
}

using How = ProgramEnd::How;

ProgramRun shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {}, std::chrono::minutes(5), 1'000'000};
}

TEST(RunToEnd, HasItsOutputAndItsStatus) {
  const ProgramEnd end = run_to_end(shell("echo out; echo errors >&2; exit 4"));
  EXPECT_EQ(end.how, How::ended);
  EXPECT_EQ(end.output, "out\n");
  EXPECT_EQ(WEXITSTATUS(end.status), 4);
}

TEST(RunToEnd, AProgramThatIsNotThere) {
  const ProgramEnd end = run_to_end({{"no-such-program-here"}, {}});
  EXPECT_EQ(end.how, How::not_started);
  EXPECT_EQ(end.error, ENOENT);
}

TEST(RunToEnd, ThrowsAwayWhatIsTooMuch) {
  ProgramRun run = shell("head -c 3000000 /dev/zero; echo end");
  run.most_bytes = 1'000;
  const ProgramEnd end = run_to_end(run);
  EXPECT_EQ(end.how, How::ended) << "it is not held up by a full pipe";
  EXPECT_EQ(end.output.size(), 1'000U);
}

TEST(RunToEnd, KillsWhatHangsWithAllThatItStarted) {
  ProgramRun run = shell("sleep 1000 & echo begun; sleep 1000");
  run.at_most = std::chrono::milliseconds(300);
  const auto begun = steady_clock::now();
  const ProgramEnd end = run_to_end(run);
  EXPECT_EQ(end.how, How::timed_out);
  EXPECT_EQ(end.output, "begun\n");
  EXPECT_FALSE(end.left);
  EXPECT_LT(steady_clock::now() - begun, std::chrono::minutes(1));
}

TEST(RunToEnd, OneThatClosesItsOutputAndGoesOnIsKilledToo) {
  ProgramRun run = shell("exec >&-; sleep 1000");
  run.at_most = std::chrono::milliseconds(300);
  EXPECT_EQ(run_to_end(run).how, How::timed_out);
}

TEST(RunToEnd, EndsWhenItIsNotWantedAnyMore) {
  ProgramRun run = shell("sleep 1000");
  std::atomic<int> asked{0};
  run.wanted = [&] { return ++asked < 3; };
  const auto begun = steady_clock::now();
  EXPECT_EQ(run_to_end(run).how, How::unwanted);
  EXPECT_LT(steady_clock::now() - begun, std::chrono::minutes(1));
}

}  // namespace
}  // namespace dmremap::os
