// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/event_loop.hpp"

#include <csignal>
#include <stdexcept>

#include <gtest/gtest.h>
#include <unistd.h>

#include "os/spawn.hpp"

namespace dmremap::os {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, CallsForWhatIsToBeReadUntilItIsEnded) {
  auto loop = EventLoop::make();
  ASSERT_TRUE(loop) << loop.error().message();
  const auto pipe = make_pipe();
  ASSERT_EQ(::write(pipe->writing.get(), "abc", 3), 3);
  std::string got;
  ASSERT_TRUE(loop->on_readable(pipe->reading.get(), [&] {
    char byte = 0;
    ASSERT_EQ(::read(pipe->reading.get(), &byte, 1), 1);
    got += byte;
    if (got.size() == 3) loop->end();
  }));
  EXPECT_TRUE(loop->run());
  EXPECT_EQ(got, "abc");
}

TEST(EventLoop, ASignalThatCameBeforeItRunsIsNotLost) {
  auto loop = EventLoop::make();
  int got = 0;
  ASSERT_TRUE(loop->on_signals({SIGUSR1, SIGUSR2}, [&](int number) {
    got = number;
    loop->end();
  }));
  ASSERT_EQ(::kill(::getpid(), SIGUSR2), 0);
  EXPECT_TRUE(loop->run());
  EXPECT_EQ(got, SIGUSR2);
}

TEST(EventLoop, ATimerComesAgainAndAgain) {
  auto loop = EventLoop::make();
  int times = 0;
  ASSERT_TRUE(loop->every(milliseconds(5), [&] {
    if (++times == 3) loop->end();
  }));
  EXPECT_TRUE(loop->run());
  EXPECT_EQ(times, 3);
}

TEST(EventLoop, AnExceptionEndsItWithAnError) {
  auto loop = EventLoop::make();
  ASSERT_TRUE(loop->every(milliseconds(1), [] { throw std::runtime_error("broken"); }));
  const auto ran = loop->run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().what, "broken");
}

}  // namespace
}  // namespace dmremap::os
