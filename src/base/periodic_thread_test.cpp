// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/periodic_thread.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace dmremap {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

bool soon(const std::atomic<int>& calls, int wanted) {
  for (int i = 0; i < 10'000 && calls < wanted; ++i) std::this_thread::sleep_for(milliseconds(1));
  return calls >= wanted;
}

TEST(PeriodicThread, CallsAgainAndAgainUntilItIsStopped) {
  std::atomic<int> calls{0};
  PeriodicThread thread(system_scheduling(), milliseconds(1),
                        PeriodicThread::First::after_interval);
  EXPECT_EQ(calls, 0);
  thread.start("test", [&] { ++calls; });
  EXPECT_TRUE(soon(calls, 3));
  thread.stop();
  const int before = calls;
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(calls, before);
  thread.stop();
}

TEST(PeriodicThread, GoingOnAfterAStopItCallsAgain) {
  std::atomic<int> calls{0};
  PeriodicThread thread(system_scheduling(), milliseconds(1),
                        PeriodicThread::First::after_interval);
  thread.start("test", [&] { ++calls; });
  thread.stop();
  const int before = calls;
  thread.go_on();
  thread.go_on();
  EXPECT_TRUE(soon(calls, before + 3));
  thread.stop();
  const int at_stop = calls;
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(calls, at_stop);
}

TEST(PeriodicThread, NothingGoesOnThatWasNeverStarted) {
  PeriodicThread thread(system_scheduling(), milliseconds(1), PeriodicThread::First::at_once);
  thread.go_on();
  thread.stop();
  thread.go_on();
}

TEST(PeriodicThread, TheFirstCallComesAtOnceOrAfterTheInterval) {
  std::atomic<int> at_once{0};
  std::atomic<int> later{0};
  PeriodicThread first(system_scheduling(), hours(1), PeriodicThread::First::at_once);
  PeriodicThread second(system_scheduling(), hours(1), PeriodicThread::First::after_interval);
  first.start("test", [&] { ++at_once; });
  second.start("test", [&] { ++later; });
  EXPECT_TRUE(soon(at_once, 1));
  // Neither waits for the interval to end.
  first.stop();
  second.stop();
  EXPECT_EQ(at_once, 1);
  EXPECT_EQ(later, 0);
}

TEST(PeriodicThread, OneThatWasNeverStartedEnds) {
  const PeriodicThread thread(system_scheduling(), hours(1), PeriodicThread::First::at_once);
}

}  // namespace
}  // namespace dmremap
