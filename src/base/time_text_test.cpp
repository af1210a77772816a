// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/time_text.hpp"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/units.hpp"

namespace dmremap {
namespace {

constexpr std::uint64_t kNoon = 1'795'000'000 * kSecondNs;  // 2026-11-18T11:06:40Z

class TimeText : public ::testing::Test {
 protected:
  ~TimeText() override { set_zone("UTC0"); }
  // Zones in the form of POSIX need no files on the machine.
  static void set_zone(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

TEST_F(TimeText, IsInTheTimeZoneOfTheMachine) {
  set_zone("CET-1");
  EXPECT_EQ(local_time_text(kNoon), "2026-11-18T12:06:40+0100");
  EXPECT_EQ(local_time_text("2026-11-18T11:06:40Z"), "2026-11-18T12:06:40+0100");
  set_zone("UTC0");
  EXPECT_EQ(local_time_text(kNoon), "2026-11-18T11:06:40Z");
}

TEST_F(TimeText, WhatIsNoTimeStaysAsItIs) {
  EXPECT_EQ(local_time_text("never"), "never");
}

TEST_F(TimeText, ReadsWhatFormatTimeWrites) {
  set_zone("CET-1");
  EXPECT_EQ(parse_utc_time(format_time(kNoon)), kNoon);
  EXPECT_FALSE(parse_utc_time("2026-11-18T11:06:40"));
}

TEST_F(TimeText, SinceADateInLocalTime) {
  set_zone("CET-1");
  EXPECT_EQ(format_time(parse_since("2026-11-18", kNoon).value()), "2026-11-17T23:00:00Z");
  EXPECT_EQ(format_time(parse_since("2026-11-18 12:06", kNoon).value()), "2026-11-18T11:06:00Z");
  EXPECT_EQ(parse_since("2026-11-18T12:06:40", kNoon).value(), kNoon);
  EXPECT_EQ(parse_since("2026-11-18T11:06:40Z", kNoon).value(), kNoon);
  EXPECT_EQ(format_time(parse_since("today", kNoon).value()), "2026-11-17T23:00:00Z");
  EXPECT_EQ(format_time(parse_since("yesterday", kNoon).value()), "2026-11-16T23:00:00Z");
}

TEST_F(TimeText, SinceHowLongAgo) {
  EXPECT_EQ(parse_since("90s", kNoon).value(), kNoon - 90 * kSecondNs);
  EXPECT_EQ(parse_since("2min", kNoon).value(), kNoon - 120 * kSecondNs);
  EXPECT_EQ(parse_since("2h", kNoon).value(), kNoon - 7200 * kSecondNs);
  EXPECT_EQ(parse_since("1w", kNoon).value(), kNoon - 7 * 86400 * kSecondNs);
  EXPECT_EQ(parse_since("99999999w", kNoon).value(), 0U);
}

TEST_F(TimeText, AnythingElseIsWrongUsage) {
  for (const char* text : {"", "now", "2", "h", "2y", "2026-13-01", "2026-11-18 25:00", "-2h"}) {
    const auto parsed = parse_since(text, kNoon);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage) << text;
  }
}

}  // namespace
}  // namespace dmremap
