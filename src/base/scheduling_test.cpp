// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/scheduling.hpp"

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap {
namespace {

using std::chrono::milliseconds;

TEST(SystemScheduling, AMutexExcludesOthers) {
  Scheduling& scheduling = system_scheduling();
  Mutex mutex(scheduling);
  int counter = 0;
  auto add = [&] {
    for (int i = 0; i < 10000; ++i) {
      const std::lock_guard lock(mutex);
      ++counter;
    }
  };
  Thread a(scheduling, add);
  Thread b(scheduling, add);
  a.join();
  b.join();
  EXPECT_EQ(counter, 20000);
}

TEST(SystemScheduling, AWaiterHearsWhatIsNotified) {
  Scheduling& scheduling = system_scheduling();
  Mutex mutex(scheduling);
  Condition changed(scheduling);
  int ball = 0;
  Thread other(scheduling, [&] {
    for (int i = 0; i < 100; ++i) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return ball % 2 == 1; });
      ++ball;
      changed.notify_all();
    }
  });
  for (int i = 0; i < 100; ++i) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ball % 2 == 0; });
    ++ball;
    changed.notify_one();
  }
  other.join();
  EXPECT_EQ(ball, 200);
}

TEST(SystemScheduling, AWaitTimesOutWithTheLockHeld) {
  Scheduling& scheduling = system_scheduling();
  Mutex mutex(scheduling);
  Condition never(scheduling);
  std::unique_lock lock(mutex);
  const auto start = scheduling.now();
  EXPECT_FALSE(never.wait_for(lock, milliseconds(20), [] { return false; }));
  EXPECT_GE(scheduling.now() - start, milliseconds(20));
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_TRUE(never.wait_for(lock, milliseconds(0), [] { return true; }));
}

TEST(SystemScheduling, AWaitEndsBeforeItsTimeWhenNotified) {
  Scheduling& scheduling = system_scheduling();
  Mutex mutex(scheduling);
  Condition changed(scheduling);
  bool ready = false;
  Thread other(scheduling, [&] {
    const std::lock_guard lock(mutex);
    ready = true;
    changed.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::hours(1), [&] { return ready; }));
  }
  other.join();
}

TEST(SystemScheduling, AThreadRunsUntilItIsJoined) {
  std::atomic<bool> ran = false;
  Thread thread;
  EXPECT_FALSE(thread.joinable());
  thread = Thread(system_scheduling(), [&] { ran = true; });
  EXPECT_TRUE(thread.joinable());
  thread.join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(thread.joinable());
}

TEST(SystemScheduling, LanesDiffer) {
  Scheduling& scheduling = system_scheduling();
  Mutex mutex(scheduling);
  std::set<std::size_t> lanes{scheduling.lane()};
  std::vector<Thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back(scheduling, [&] {
      const std::size_t mine = scheduling.lane();
      EXPECT_EQ(scheduling.lane(), mine);
      const std::lock_guard lock(mutex);
      lanes.insert(mine);
    });
  }
  for (Thread& thread : threads) thread.join();
  EXPECT_EQ(lanes.size(), 5U);
}

TEST(SystemScheduling, APauseEnds) {
  Scheduling& scheduling = system_scheduling();
  const auto start = scheduling.now();
  for (std::size_t round = 0; round < 40; ++round) scheduling.pause(round);
  scheduling.pause(1'000'000);
  EXPECT_GT(scheduling.now(), start);
  EXPECT_LT(scheduling.now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace dmremap
