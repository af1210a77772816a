// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/world.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<Style, 3> kStyles{Style::uniform, Style::run_to_block, Style::priorities};

// Three threads that take turns at a lock; the order in which they did.
std::string turns(World& world) {
  std::string out;
  world.run([&] {
    Mutex mutex(world);
    std::vector<Thread> threads;
    for (const char name : {'a', 'b', 'c'}) {
      threads.emplace_back(world, [&, name] {
        for (int i = 0; i < 20; ++i) {
          const std::lock_guard lock(mutex);
          out += name;
        }
      });
    }
    for (Thread& thread : threads) thread.join();
  });
  return out;
}

TEST(World, ASeedReplaysExactly) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    World first(seed);
    const std::string order = turns(first);
    World other(seed + 1000);  // what runs in between changes nothing
    (void)turns(other);
    World again(seed);
    EXPECT_EQ(turns(again), order);
    EXPECT_EQ(again.trace_hash(), first.trace_hash());
    EXPECT_EQ(again.time_ns(), first.time_ns());
    EXPECT_EQ(again.random().next_u64(), first.random().next_u64());
  }
}

// The same in every process and on every machine: a seed from a report is worth something.
TEST(World, ASeedMeansTheSameEverywhere) {
  World world(42, Style::uniform);
  EXPECT_EQ(turns(world).substr(0, 20), "bbacbbbaababbaabaacb");
}

TEST(World, SeedsDiffer) {
  for (const Style style : kStyles) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      World world(seed, style);
      orders.insert(turns(world));
    }
    EXPECT_GT(orders.size(), 15U) << name_of(style);
  }
}

TEST(World, SeedsPickEveryStyle) {
  std::set<Style> styles;
  for (std::uint64_t seed = 0; seed < 30; ++seed) styles.insert(World(seed).style());
  EXPECT_EQ(styles.size(), kStyles.size());
}

// A counter that is read, and written back a step later: the lost update of two threads.
int racing_count(World& world, bool locked) {
  int counter = 0;
  world.run([&] {
    Mutex counting(world);
    Mutex other(world);
    auto add = [&] {
      for (int i = 0; i < 10; ++i) {
        if (locked) counting.lock();
        const int seen = counter;
        { const std::lock_guard step(other); }
        counter = seen + 1;
        if (locked) counting.unlock();
      }
    };
    Thread a(world, add);
    Thread b(world, add);
    a.join();
    b.join();
  });
  return counter;
}

TEST(World, ALockExcludesOthersAndItsLackIsFoundInEveryStyle) {
  for (const Style style : kStyles) {
    int lost = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      World with(seed, style);
      EXPECT_EQ(racing_count(with, true), 20);
      World without(seed, style);
      if (racing_count(without, false) != 20) ++lost;
    }
    EXPECT_GT(lost, 2) << name_of(style);
  }
}

TEST(World, AWaiterHearsWhatIsNotified) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    World world(seed);
    std::vector<int> got;
    world.run([&] {
      Mutex mutex(world);
      Condition changed(world);
      std::vector<int> queue;
      Thread consumer(world, [&] {
        while (got.size() < 10) {
          std::unique_lock lock(mutex);
          changed.wait(lock, [&] { return !queue.empty(); });
          got.insert(got.end(), queue.begin(), queue.end());
          queue.clear();
        }
      });
      for (int i = 0; i < 10; ++i) {
        {
          const std::lock_guard lock(mutex);
          queue.push_back(i);
        }
        changed.notify_one();
      }
      consumer.join();
    });
    EXPECT_EQ(got.size(), 10U);
    EXPECT_TRUE(std::ranges::is_sorted(got));
  }
}

// Waits without looking first: what was notified before the wait is not heard.
TEST(World, ANotificationThatNobodyWaitsForIsLost) {
  int stuck = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    World world(seed);
    const auto lock = world.make_lock();
    const auto signal = world.make_signal();
    try {
      world.run([&] {
        const auto run = world.start([&] { signal->notify_one(); });
        lock->lock();
        signal->wait(*lock);
        lock->unlock();
        run->join();
      });
    } catch (const WorldFailure&) {
      ++stuck;
    }
  }
  EXPECT_GT(stuck, 5);
  EXPECT_LT(stuck, 100);
}

TEST(World, AWaitMayEndForNoReason) {
  int woken = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    World world(seed);
    const auto lock = world.make_lock();
    const auto signal = world.make_signal();
    world.run([&] {
      lock->lock();
      signal->wait_for(*lock, seconds(1));
      lock->unlock();
      if (world.now() < seconds(1)) ++woken;
    });
  }
  EXPECT_GT(woken, 0);
  EXPECT_LT(woken, 100);
}

TEST(World, TimeJumpsToTheNextThatWakes) {
  World world(3);
  std::string order;
  world.run([&] {
    Thread late(world, [&] {
      world.sleep(seconds(3600));
      order += 'z';
    });
    Thread early(world, [&] {
      world.sleep(seconds(60));
      order += 'a';
    });
    early.join();
    late.join();
  });
  EXPECT_EQ(order, "az");
  EXPECT_GE(world.now(), seconds(3600));
  EXPECT_LT(world.now(), seconds(3601));
  EXPECT_EQ(world.monotonic_ns(), world.time_ns());
  EXPECT_GT(world.wall_ns(), world.monotonic_ns());
}

TEST(World, AConditionTimesOut) {
  World world(4);
  world.run([&] {
    Mutex mutex(world);
    Condition never(world);
    std::unique_lock lock(mutex);
    EXPECT_FALSE(never.wait_for(lock, milliseconds(5), [] { return false; }));
    EXPECT_GE(world.now(), milliseconds(5));
    EXPECT_LT(world.now(), milliseconds(6));
  });
}

TEST(World, WaitingForWhatNobodyTellsEndsInEveryStyle) {
  for (const Style style : kStyles) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      World world(seed, style);
      world.run([&] {
        bool done = false;
        Thread worker(world, [&] {
          world.sleep(milliseconds(20));
          done = true;
        });
        std::size_t round = 0;
        while (!done) world.pause(round++);
        worker.join();
      });
      EXPECT_LT(world.steps(), 10000U);
    }
  }
}

// One that never waits: only fairness lets the other end its loop.
TEST(World, NobodyStarvesInAnyStyle) {
  for (const Style style : kStyles) {
    World world(5, style);
    world.run([&] {
      Mutex mutex(world);
      bool done = false;
      Thread other(world, [&] {
        for (int i = 0; i < 5; ++i) const std::lock_guard lock(mutex);
        done = true;
      });
      while (!done) const std::lock_guard lock(mutex);
      other.join();
    });
    EXPECT_LT(world.steps(), 1'000'000U) << name_of(style);
  }
}

std::string failure_of(World& world, const std::function<void()>& body) {
  try {
    world.run(body);
  } catch (const WorldFailure& failure) {
    return failure.what();
  }
  return "";
}

TEST(World, ADeadlockIsToldWithEveryThread) {
  int deadlocks = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed, Style::uniform);
    Mutex first(world);
    Mutex second(world);
    Thread other;
    const std::string said = failure_of(world, [&] {
      world.name_thread("main");
      other = Thread(world, [&] {
        const std::lock_guard a(second);
        const std::lock_guard b(first);
      });
      {
        const std::lock_guard a(first);
        const std::lock_guard b(second);
      }
      other.join();
    });
    if (said.empty()) continue;
    ++deadlocks;
    EXPECT_NE(said.find("deadlock"), std::string::npos) << said;
    EXPECT_NE(said.find("seed " + std::to_string(seed)), std::string::npos) << said;
    EXPECT_NE(said.find("thread 0 main: waits for lock 1"), std::string::npos) << said;
    EXPECT_NE(said.find("thread 1: waits for lock 0"), std::string::npos) << said;
    EXPECT_THROW(world.run([] {}), WorldFailure);
  }
  EXPECT_GT(deadlocks, 5);
}

TEST(World, AStepLimitEndsWhatGoesInCircles) {
  World world(6);
  world.set_step_limit(5000);
  const std::string said = failure_of(world, [&] {
    while (true) world.pause(0);
  });
  EXPECT_NE(said.find("more steps than the limit"), std::string::npos) << said;
}

TEST(World, MisusedLocksAreToldOf) {
  World twice(7);
  Mutex mutex(twice);
  EXPECT_NE(failure_of(twice,
                       [&] {
                         mutex.lock();
                         mutex.lock();
                       })
                .find("holds already"),
            std::string::npos);
  World stranger(8);
  Mutex free(stranger);
  EXPECT_NE(failure_of(stranger, [&] { free.unlock(); }).find("does not hold"), std::string::npos);
}

TEST(World, WhatAThreadThrowsEndsTheRun) {
  World world(9);
  EXPECT_THROW(world.run([&] {
    (void)world.start([] { throw std::logic_error("found"); }).release();  // NOLINT
    world.sleep(seconds(1));
  }),
               std::logic_error);
}

TEST(World, AnActionIsCalledAtItsStep) {
  World world(10);
  std::uint64_t at = 0;
  world.at_step(100, [&] { at = world.steps(); });
  (void)turns(world);
  EXPECT_EQ(at, 100U);
  EXPECT_GT(world.steps(), 100U);
}

TEST(World, LanesAreSmallAndUsedAgain) {
  World world(11);
  std::set<std::size_t> seen;
  world.run([&] {
    for (int i = 0; i < 50; ++i) {
      Thread one(world, [&] { seen.insert(world.lane()); });
      one.join();
    }
    EXPECT_EQ(seen, std::set<std::size_t>{1});
    seen.clear();
    std::vector<Thread> together;
    together.reserve(5);
    for (int i = 0; i < 5; ++i) {
      together.emplace_back(world, [&] {
        world.sleep(milliseconds(1));
        seen.insert(world.lane());
      });
    }
    for (Thread& thread : together) thread.join();
  });
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_LT(*seen.rbegin(), 8U);
}

TEST(World, ABellCutsASleepShort) {
  World world(12);
  const auto bell = world.make_bell("a bell");
  world.run([&] {
    Thread sleeper(world, [&] { world.sleep_until(1'000'000'000'000, *bell); });
    world.sleep(milliseconds(1));
    world.ring(*bell);
    sleeper.join();
  });
  EXPECT_LT(world.now(), milliseconds(2));
}

TEST(World, RunsAgainWithTimeGoingOn) {
  World world(13);
  world.run([&] { world.sleep(seconds(1)); });
  const auto first = world.now();
  const std::string order = turns(world);
  EXPECT_EQ(order.size(), 60U);
  EXPECT_GT(world.now(), first);
}

TEST(World, OutsideARunThingsWorkThatNeedNotWait) {
  World world(14);
  Mutex mutex(world);
  { const std::lock_guard lock(mutex); }
  world.sleep(seconds(2));
  EXPECT_GE(world.now(), seconds(2));
  EXPECT_EQ(world.lane(), 0U);
}

// Each fiber has its own: an exception that is being handled is not another's.
TEST(World, ExceptionsInFlightStayWithTheirThread) {
  World world(15, Style::uniform);
  std::string said;
  world.run([&] {
    auto body = [&](const char* what) {
      try {
        throw std::runtime_error(what);
      } catch (const std::runtime_error&) {
        world.sleep(milliseconds(1));
        try {
          throw;
        } catch (const std::runtime_error& mine) {
          said += mine.what();
        }
      }
    };
    Thread a(world, [&] { body("a"); });
    Thread b(world, [&] { body("b"); });
    a.join();
    b.join();
  });
  std::ranges::sort(said);
  EXPECT_EQ(said, "ab");
}

}  // namespace
}  // namespace dmremap::sim
