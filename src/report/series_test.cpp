// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/series.hpp"

#include <gtest/gtest.h>

namespace dmremap::report {
namespace {

using control::HistoryReply;

HistoryReply history() {
  return {.today = 400,
          .older = {{"lost", 7}},
          .before = {{"spare_used", 10}},
          .days = {{20, 1, "2025-01-01", {{"lost", 2}}, {{"spare_used", 12}}},
                   {100, 3, "2025-03-01", {{"lost", 30}}, {{"spare_used", 42}}},
                   {400, 1, "2026-01-01", {{"lost", 1}, {"remapped", 5}}, {}}}};
}

TEST(Period, IsAYearAtMostAndAMonthAtLeast) {
  EXPECT_EQ(period_of(history()).days, 365U);
  EXPECT_EQ(period_of(history()).observed, 365U);
  EXPECT_EQ(period_of({.today = 11, .older = {}, .before = {}, .days = {}}).days, 30U);
  EXPECT_EQ(period_of({.today = 11, .older = {}, .before = {}, .days = {}}).observed, 12U);
  EXPECT_EQ(period_of({.today = UINT64_MAX, .older = {}, .before = {}, .days = {}}).days, 365U);
}

TEST(Counts, AreThoseWithinTheYear) {
  const auto days = counts_of(history(), "lost");
  ASSERT_EQ(days.size(), 2U);
  EXPECT_EQ(days[0].ago, 300U);
  EXPECT_EQ(days[0].span, 3U);
  EXPECT_EQ(days[1].ago, 0U);
  EXPECT_EQ(sum_of(days), 31U);
  EXPECT_EQ(history().total("lost"), 40U);
  EXPECT_TRUE(counts_of(history(), "trips").empty());
}

TEST(Counts, DoNotWrap) {
  HistoryReply full = history();
  full.older["lost"] = UINT64_MAX;
  EXPECT_EQ(full.total("lost"), UINT64_MAX);
}

TEST(Steps, BeginWithWhatWasKnownBeforeTheYear) {
  const auto steps = steps_of(history(), "spare_used");
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].ago, 364U);
  EXPECT_EQ(steps[0].value, 12U);  // of day 20, which is older than a year
  EXPECT_EQ(steps[1].ago, 300U);
  EXPECT_EQ(steps[1].value, 42U);
  EXPECT_TRUE(steps_of(history(), "pending").empty());
}

TEST(Steps, AnEmptyHistoryHasNone) {
  EXPECT_TRUE(steps_of({}, "spare_used").empty());
  EXPECT_TRUE(counts_of({}, "lost").empty());
}

// Told by a program of another version, or by one that lies.
TEST(Steps, ADayAfterTodayIsToday) {
  const HistoryReply odd{.today = 3,
                         .older = {},
                         .before = {},
                         .days = {{UINT64_MAX, 0, "", {{"lost", 1}}, {{"spare_used", 1}}}}};
  EXPECT_EQ(counts_of(odd, "lost").at(0).ago, 0U);
  EXPECT_EQ(counts_of(odd, "lost").at(0).span, 1U);
  EXPECT_EQ(steps_of(odd, "spare_used").at(0).ago, 0U);
}

}  // namespace
}  // namespace dmremap::report
