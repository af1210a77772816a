// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/task/slowness.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace dmremap::remap {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(Slowness, ABlockThatTakesSecondsAmongQuickOnesIsFarSlower) {
  EXPECT_TRUE(far_slower(3'000 * kMs, std::vector<std::uint64_t>(8, 5 * kMs)));
}

TEST(Slowness, ABlockOfABusyDriveIsNot) {
  EXPECT_FALSE(far_slower(3'000 * kMs, std::vector<std::uint64_t>(8, 900 * kMs)));
}

TEST(Slowness, WhatNobodyNoticesIsNot) {
  EXPECT_FALSE(far_slower(kSlowReadNs - 1, std::vector<std::uint64_t>(8, 1'000)));
  EXPECT_TRUE(far_slower(kSlowReadNs, std::vector<std::uint64_t>(8, 1'000)));
}

TEST(Slowness, AFewSlowNeighboursDoNotHideIt) {
  EXPECT_TRUE(far_slower(
      2'000 * kMs, std::vector<std::uint64_t>{kMs, kMs, kMs, kMs, kMs, 1'500 * kMs, 1'500 * kMs}));
}

TEST(Slowness, WithTooFewNeighboursNothingIsConcluded) {
  EXPECT_FALSE(far_slower(9'000 * kMs, std::vector<std::uint64_t>(kFewestNeighbours - 1, kMs)));
  EXPECT_FALSE(far_slower(9'000 * kMs, {}));
}

TEST(Slowness, ExactlyTheFactorIsFarSlower) {
  const std::uint64_t neighbour = 100 * kMs;
  const std::vector<std::uint64_t> neighbours(4, neighbour);
  EXPECT_TRUE(far_slower(kTimesSlower * neighbour, neighbours));
  EXPECT_FALSE(far_slower(kTimesSlower * neighbour - kTimesSlower, neighbours));
}

}  // namespace
}  // namespace dmremap::remap
