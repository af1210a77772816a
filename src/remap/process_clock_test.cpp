// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/process_clock.hpp"

#include <gtest/gtest.h>

#include "sim/world.hpp"

namespace dmremap::remap {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kSecond = 1'000'000'000;

// In a world whose threads all stand still for a while, when told.
TEST(ProcessClock, ATimeThatNobodyCouldUseDoesNotPass) {
  sim::World world(1);
  world.run([&] {
    ProcessClock clock(world, world, true);
    world.sleep(seconds(10));
    EXPECT_EQ(clock.monotonic_ns(), world.time_ns()) << "nothing was lost yet";
    const std::uint64_t begun_raw = world.time_ns();
    const std::uint64_t begun = clock.monotonic_ns();
    EXPECT_EQ(clock.pauses(), 0U);
    world.stand_still(seconds(45));
    // Before the thread of the clock could run, and after.
    EXPECT_LE(clock.monotonic_ns() - begun, kSecond);
    EXPECT_EQ(clock.pauses(), 1U);
    world.sleep(seconds(5));
    EXPECT_GE(clock.monotonic_ns() - begun, 5 * kSecond);
    EXPECT_LE(clock.monotonic_ns() - begun, 6 * kSecond + kSecond / 10);
    EXPECT_EQ(clock.pauses(), 1U);
    EXPECT_EQ(clock.at_raw(begun_raw), begun) << "as it was then";
    clock.stop();
    world.stand_still(seconds(45));
    EXPECT_GE(clock.monotonic_ns() - begun, 45 * kSecond) << "it watches no more";
  });
}

// Found by simulation: such a request seemed to have begun in the future.
TEST(ProcessClock, ARequestMayBeginBetweenAPauseAndTheTickThatNoticesIt) {
  sim::World world(3);
  world.run([&] {
    ProcessClock clock(world, world, true);
    world.sleep(seconds(10));
    world.stand_still(seconds(45));
    const std::uint64_t begun_raw = world.time_ns();
    const std::uint64_t begun = clock.monotonic_ns();
    EXPECT_EQ(clock.at_raw(begun_raw), begun);
    world.sleep(seconds(5));
    EXPECT_EQ(clock.pauses(), 1U) << "it was noticed";
    EXPECT_EQ(clock.at_raw(begun_raw), begun);
    EXPECT_LE(clock.at_raw(begun_raw), clock.monotonic_ns());
    clock.stop();
  });
}

TEST(ProcessClock, NeverGoesBack) {
  sim::World world(2);
  world.run([&] {
    ProcessClock clock(world, world, true);
    std::uint64_t last = 0;
    for (int i = 0; i < 200; ++i) {
      world.sleep(std::chrono::milliseconds(100 + i % 7 * 150));
      if (i % 20 == 0) world.stand_still(seconds(i));
      const std::uint64_t now = clock.monotonic_ns();
      EXPECT_GE(now, last);
      last = now;
    }
    clock.stop();
  });
}

}  // namespace
}  // namespace dmremap::remap
