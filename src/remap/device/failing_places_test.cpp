// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/failing_places.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace dmremap::remap {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kHour = 3'600 * kSecond;
constexpr SectorRange kUnit{{800}, {8}};

// Asks whenever it is due and fails with `error`. How long until it is given up; 0: never, in a
// year.
std::uint64_t given_up_after(int first_error, int error) {
  FailingPlaces places(kHour);
  (void)places.note(kUnit, first_error, 0);
  for (std::uint64_t now = 0; now < 24UL * 365UL * kHour; now += kSecond) {
    if (places.due(now, 1).empty()) continue;
    if (places.note_again(kUnit, error, now)) return now;
  }
  return 0;
}

TEST(FailingPlaces, Promise2_AMediumThatIsBadEachTimeIsGivenUpAfterADay) {
  EXPECT_GE(given_up_after(ENODATA, ENODATA), 24 * kHour);
  EXPECT_LE(given_up_after(ENODATA, EILSEQ), 26 * kHour);
}

TEST(FailingPlaces, Promise2_AnErrorThatMayBeTheCablesIsNeverGivenUp) {
  EXPECT_EQ(given_up_after(EIO, EIO), 0U);
  EXPECT_GE(given_up_after(EIO, ENODATA), 24 * kHour) << "counted from the first that is not";
}

TEST(FailingPlaces, Promise2_WhatADriveGivesUpInTimeIsNeverGivenUp) {
  EXPECT_EQ(given_up_after(ETIME, ETIME), 0U) << "with more time it may read";
  EXPECT_GE(given_up_after(ETIME, ENODATA), 24 * kHour);
}

TEST(FailingPlaces, IsAskedSoonAtFirstAndThenAsOftenAsLostSectors) {
  FailingPlaces places(kHour);
  EXPECT_TRUE(places.note(kUnit, EIO, 0));
  EXPECT_FALSE(places.note(kUnit, EIO, 0)) << "it is known";
  std::vector<std::uint64_t> asked;
  for (std::uint64_t now = 0; now < 3 * kHour; now += kSecond) {
    if (places.due(now, 1).empty()) continue;
    asked.push_back(now / kSecond);
    (void)places.note_again(kUnit, EIO, now);
  }
  EXPECT_EQ(asked, (std::vector<std::uint64_t>{1, 11, 71, 671, 671 + 3'600, 671 + 7'200}));
}

TEST(FailingPlaces, IsNeverAskedLessOftenThanThePolicySays) {
  FailingPlaces places(2 * kSecond);
  (void)places.note(kUnit, EIO, 0);
  (void)places.note_again(kUnit, EIO, kSecond);
  EXPECT_EQ(places.due(3 * kSecond, 9).size(), 1U);
}

TEST(FailingPlaces, FindsAndClearsByAnyPartOfARange) {
  FailingPlaces places(kHour);
  EXPECT_FALSE(places.any({{0}, {10'000}}));
  (void)places.note(kUnit, EIO, 0);
  (void)places.note({{816}, {8}}, ENODATA, 5);
  EXPECT_TRUE(places.any({{807}, {1}}));
  EXPECT_FALSE(places.any({{808}, {8}}));
  EXPECT_TRUE(places.any({{0}, {801}}));
  EXPECT_EQ(places.due(10 * kSecond, 1), std::vector<SectorRange>{kUnit}) << "what waits longest";
  places.clear({{800}, {16}});
  ASSERT_EQ(places.list().size(), 1U);
  EXPECT_EQ(places.list()[0].error, ENODATA);
  EXPECT_EQ(places.size(), 1U);
}

}  // namespace
}  // namespace dmremap::remap
