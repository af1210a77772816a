// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/history.hpp"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::health {
namespace {

constexpr std::uint32_t kWallDay = 20'786;

// A year of a disk that is sick every day, in which everything that can change does.
History busy_year(std::uint32_t seed) {
  std::mt19937 random(seed);
  History out;
  for (unsigned day = 0; day < 400; ++day) {
    out.advance(kDaySeconds, kWallDay + day);
    for (std::size_t i = 0; i < kCounts; ++i) out.count(static_cast<Count>(i), random() % 5000);
    for (std::size_t i = 0; i < kLevels; ++i) out.note(static_cast<Level>(i), random());
  }
  return out;
}

TEST(History, CountsAreSummedByDay) {
  History history;
  history.count(Count::lost, 8);
  history.count(Count::lost, 8);
  history.advance(3 * kDaySeconds, kWallDay);
  history.count(Count::lost);
  history.count(Count::trips);
  ASSERT_EQ(history.days().size(), 2U);
  EXPECT_EQ(history.days()[0].count(Count::lost), 16U);
  EXPECT_EQ(history.days()[1].day, 3U);
  EXPECT_EQ(history.total(Count::lost), 17U);
  EXPECT_EQ(history.recent(Count::lost, 3), 1U);
  EXPECT_EQ(history.recent(Count::lost, 4), 17U);
  EXPECT_EQ(history.days_with(Count::lost, 30), 2U);
}

TEST(History, AQuietDayTakesNoRoom) {
  History history;
  history.note(Level::spare_used, 10);
  for (unsigned day = 0; day < 300; ++day) {
    history.advance(kDaySeconds, kWallDay + day);
    history.note(Level::spare_used, 10);
  }
  EXPECT_EQ(history.days().size(), 1U);
  EXPECT_EQ(history.latest(Level::spare_used), 10U);
  EXPECT_LT(pack_history(history).size(), 64U);
}

// The wall clock may be set to anything at any time.
TEST(History, AJumpOfTheWallClockLosesNoCountAndMakesNoGrowth) {
  History history;
  history.note(Level::pending, 3);
  for (const std::uint32_t wall_day : {kWallDay, 0U, 60'000U, kWallDay + 1, 1U}) {
    history.advance(kDaySeconds / 2, wall_day);
    history.note(Level::pending, 3);
    history.count(Count::recovered);
  }
  EXPECT_EQ(history.total(Count::recovered), 5U);
  EXPECT_EQ(history.today(), 2U);
  EXPECT_EQ(history.growth(Level::pending, 365).risen, 0U);
  EXPECT_EQ(unpack_history(pack_history(history)), history);
}

TEST(History, AStepOfAnyLengthIsHarmless) {
  History history;
  history.count(Count::lost, 5);
  history.note(Level::reallocated, 7);
  for (unsigned i = 0; i < 3; ++i) history.advance(~std::uint64_t{0}, kWallDay);
  EXPECT_EQ(history.total(Count::lost), 5U);
  EXPECT_EQ(history.latest(Level::reallocated), 7U);
  EXPECT_EQ(history.recent(Count::lost, kHistoryDays), 0U);
  EXPECT_EQ(unpack_history(pack_history(history)), history);
}

TEST(History, WhatIsOlderThanAYearStaysInTheSum) {
  History history;
  history.count(Count::remapped, 3);
  history.note(Level::spare_used, 3);
  history.advance(364 * kDaySeconds, kWallDay);
  EXPECT_EQ(history.days().size(), 1U);
  history.advance(kDaySeconds, kWallDay);
  EXPECT_TRUE(history.days().empty());
  EXPECT_EQ(history.total(Count::remapped), 3U);
  EXPECT_EQ(history.latest(Level::spare_used), 3U);
}

TEST(History, GrowthIsTheSumOfRises) {
  History history;
  history.note(Level::pending, 100);
  history.advance(100 * kDaySeconds, kWallDay);
  for (const std::uint64_t value : {108U, 0U, 4U}) {
    history.note(Level::pending, value);
    history.advance(10 * kDaySeconds, kWallDay);
  }
  const LevelGrowth growth = history.growth(Level::pending, 60);
  EXPECT_EQ(growth.before, 100U);
  EXPECT_EQ(growth.now, 4U);
  EXPECT_EQ(growth.risen, 12U);
  EXPECT_EQ(history.growth(Level::pending, 15).risen, 4U);
}

TEST(History, ALevelDoesNotGrowByBecomingKnown) {
  History history;
  history.advance(10 * kDaySeconds, kWallDay);
  history.note(Level::reallocated, 500);
  const LevelGrowth growth = history.growth(Level::reallocated, 30);
  EXPECT_EQ(growth.risen, 0U);
  EXPECT_FALSE(growth.before.has_value());
  EXPECT_EQ(growth.now, 500U);
}

TEST(History, LevelsOfDaysWithoutAChangeAreThoseOfBefore) {
  History history;
  history.advance(5 * kDaySeconds, kWallDay);
  history.note(Level::latency_median, 50);
  history.advance(3 * kDaySeconds, kWallDay);
  history.note(Level::latency_median, 60);
  history.advance(kDaySeconds, kWallDay);
  EXPECT_EQ(history.levels_between(Level::latency_median, 0, 100),
            (std::vector<std::uint64_t>{60, 60, 50, 50, 50}));
  EXPECT_EQ(history.levels_between(Level::latency_median, 2, 4),
            (std::vector<std::uint64_t>{50, 50}));
}

TEST(History, LatencyCodesAreWithinATwelfth) {
  for (int i = 0; i < 270; ++i) {
    const double us = std::pow(1.07, i);
    EXPECT_NEAR(latency_us(latency_code(us)) / us, 1, 1.0 / 12) << us;
  }
  EXPECT_EQ(latency_code(0), 0U);
  EXPECT_EQ(latency_code(-1), 0U);
  EXPECT_LE(latency_code(1e300), 255U);
}

TEST(History, AYearFitsAndLosesNoCount) {
  for (std::uint32_t seed = 1; seed < 20; ++seed) {
    const History history = busy_year(seed);
    const auto bytes = pack_history(history);
    EXPECT_LE(bytes.size(), kHistoryMaxBytes);
    const auto back = unpack_history(bytes);
    ASSERT_TRUE(back.has_value());
    for (std::size_t i = 0; i < kCounts; ++i) {
      const auto what = static_cast<Count>(i);
      EXPECT_EQ(back->total(what), history.total(what));
      // The newest days are kept apart.
      EXPECT_EQ(back->recent(what, 30), history.recent(what, 30));
    }
    for (std::size_t i = 0; i < kLevels; ++i) {
      const auto what = static_cast<Level>(i);
      EXPECT_EQ(back->latest(what), history.latest(what));
    }
    // What was merged once stays as it is.
    EXPECT_EQ(unpack_history(pack_history(*back)), back);
  }
}

TEST(History, PaddingIsNotPartOfIt) {
  History history = busy_year(1);
  auto bytes = pack_history(history);
  const auto whole = unpack_history(bytes);
  bytes.resize(kHistoryMaxBytes + 100);
  EXPECT_EQ(unpack_history(bytes), whole);
  bytes.back() = std::byte{1};
  EXPECT_FALSE(unpack_history(bytes).has_value());
}

// Any bytes are a history, one that packs and unpacks to the same, or none.
TEST(History, AnyBytesAreAHistoryOrNone) {
  std::mt19937 random(1);
  History few;
  few.count(Count::lost, 3);
  few.advance(9 * kDaySeconds, kWallDay);
  few.note(Level::pending, 8);
  const std::vector<std::vector<std::byte>> good{pack_history(few), pack_history(busy_year(2))};
  unsigned accepted = 0;
  for (unsigned round = 0; round < 200'000; ++round) {
    auto bytes = good[round % 8 == 0 ? 1 : 0];
    for (unsigned i = 0; i <= round % 3; ++i) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    const auto read = unpack_history(bytes);
    if (!read) continue;
    ++accepted;
    const auto again = unpack_history(pack_history(*read));
    ASSERT_TRUE(again.has_value());
    ASSERT_EQ(again->total(Count::lost), read->total(Count::lost));
  }
  EXPECT_GT(accepted, 1000U);
}

}  // namespace
}  // namespace dmremap::health
