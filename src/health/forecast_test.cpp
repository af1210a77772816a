// SPDX-License-Identifier: GPL-2.0-or-later
// What a forecast says of single disks. That it keeps what it states over many of them is in
// tests/health.
#include "health/forecast.hpp"

#include <gtest/gtest.h>

namespace dmremap::health {
namespace {

Growth regular(double every_days, double amount, double observed_days) {
  Growth out;
  out.observed_days = observed_days;
  for (int i = 0; observed_days - 1 - every_days * i >= 0; ++i) {
    out.rises.push_back({observed_days - 1 - every_days * i, amount});
  }
  return out;
}

TEST(Forecast, TheSameHistoryAlwaysGivesTheSame) {
  const Growth growth = regular(14, 6, 200);
  const Forecast one = forecast(growth, 500);
  const Forecast two = forecast(growth, 500);
  EXPECT_EQ(one.low_days, two.low_days);
  EXPECT_EQ(one.high_days, two.high_days);
}

TEST(Forecast, RegularGrowthIsWithinTheInterval) {
  const Forecast it = forecast(regular(15, 10, 360), 100);
  EXPECT_TRUE(it.growth_seen);
  EXPECT_EQ(it.episodes, 24U);
  ASSERT_TRUE(it.high_days.has_value());
  EXPECT_LT(it.low_days, 150);
  EXPECT_GT(*it.high_days, 150);
  EXPECT_GT(it.low_days, 20);
  EXPECT_LT(*it.high_days, 600);
}

TEST(Forecast, DaysCloseToEachOtherAreOneEpisode) {
  Growth growth;
  growth.observed_days = 100;
  for (const double ago : {90, 86, 80, 30, 29, 3}) growth.rises.push_back({ago, 1});
  EXPECT_EQ(forecast(growth, 10).episodes, 3U);
}

TEST(Forecast, MoreRoomLastsLonger) {
  const Growth growth = regular(20, 8, 300);
  double last = 0;
  for (const double room : {10, 100, 1000, 10'000, 10'000'000}) {
    const Forecast it = forecast(growth, room);
    EXPECT_GT(it.low_days, last);
    last = it.low_days;
  }
}

TEST(Forecast, FewerEpisodesSayLess) {
  const Forecast few = forecast(regular(60, 10, 120), 200);
  const Forecast many = forecast(regular(20, 10, 360), 200);
  EXPECT_GT(*few.high_days / few.low_days, 2 * *many.high_days / many.low_days);
}

TEST(Forecast, WithoutGrowthThereIsALowerBoundThatRisesWithTime) {
  Growth none;
  double last = 0;
  for (const double days : {1, 30, 180, 365}) {
    none.observed_days = days;
    const Forecast it = forecast(none, 100);
    EXPECT_FALSE(it.growth_seen);
    EXPECT_FALSE(it.high_days.has_value());
    EXPECT_GT(it.low_days, last);
    last = it.low_days;
  }
}

TEST(Forecast, NoRoomIsFullNow) {
  const Forecast it = forecast(regular(10, 1, 100), 0);
  EXPECT_EQ(it.low_days, 0);
  EXPECT_EQ(it.high_days, 0.0);
  EXPECT_EQ(text(it, "spare"), "spare is full");
}

TEST(Forecast, SaysItInWords) {
  Forecast it;
  it.growth_seen = true;
  it.low_days = 40.7;
  it.high_days = 209.2;
  EXPECT_EQ(text(it, "spare"), "spare full in 40 to 210 days at this growth (90 %)");
  it.high_days = 5000;
  EXPECT_EQ(text(it, "table"), "table full in 40 days to more than 10 years at this growth (90 %)");
  it.low_days = 4000;
  EXPECT_EQ(text(it, "table"), "table full in more than 10 years at this growth (95 %)");
  it = {};
  it.observed_days = 90.4;
  it.low_days = 312.9;
  EXPECT_EQ(text(it, "spare"), "no growth seen in 90 days: spare lasts at least 312 days (90 %)");
}

TEST(Forecast, GrowthOfALevelIsItsRises) {
  History history;
  history.advance(10 * kDaySeconds, 20'000);
  history.note(Level::spare_used, 8);
  history.advance(20 * kDaySeconds, 20'020);
  history.note(Level::spare_used, 24);
  history.advance(5 * kDaySeconds, 20'025);
  history.note(Level::spare_used, 16);  // unremapped
  const Growth growth = growth_of(history, Level::spare_used);
  ASSERT_EQ(growth.rises.size(), 1U);
  EXPECT_EQ(growth.rises[0].days_ago, 5);
  EXPECT_EQ(growth.rises[0].amount, 16);
  EXPECT_EQ(growth.observed_days, 25);
  EXPECT_EQ(growth_of(history, Level::table_used).observed_days, 0);
}

}  // namespace
}  // namespace dmremap::health
