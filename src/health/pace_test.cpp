// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/pace.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error_code.hpp"
#include "sim/dice.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kS = 1000 * kMs;

// A disk, its foreground, and the pace of a scanner on it.
struct Rig {
  Pace pace{{}, 0};
  PaceMoment moment;

  Rig() { ask(); }
  PaceDecision ask() { return pace.ask(moment); }
  PaceDecision after(std::uint64_t ns) {
    moment.now_ns += ns;
    return ask();
  }
  // Foreground requests of 10 ms each that come and go.
  void foreground(std::uint64_t requests) {
    moment.foreground.arrived += requests;
    moment.foreground.latency_ns += requests * 10 * kMs;
  }
  // Asks until it may read; the time that passed.
  std::uint64_t wait_for_read(std::uint64_t most_ns = 100 * kS) {
    const std::uint64_t from = moment.now_ns;
    for (PaceDecision decision = ask(); !decision.read; decision = ask()) {
      EXPECT_GT(decision.until_ns, moment.now_ns);
      if (decision.until_ns <= moment.now_ns || moment.now_ns - from > most_ns) return most_ns;
      moment.now_ns = decision.until_ns;
    }
    return moment.now_ns - from;
  }
  void read(std::uint64_t took_ns, std::uint64_t arrived = 0) {
    pace.begun(moment.now_ns, moment.foreground);
    moment.now_ns += took_ns;
    foreground(arrived);
    pace.finished(moment.now_ns, moment.foreground, kScanPiece.bytes());
  }
  // As many requests as make good any debt, and time without any.
  void earn() {
    foreground(100'000);
    ask();
    after(kS);
  }
};

TEST(PaceTest, ReadsAfterHalfASecondWithoutForeground) {
  Rig rig;
  EXPECT_EQ(rig.wait_for_read(), 500 * kMs);
  rig.earn();
  rig.foreground(1);
  EXPECT_EQ(rig.ask().why, PaceWait::foreground);
  EXPECT_EQ(rig.wait_for_read(), 500 * kMs);
}

TEST(PaceTest, ARequestInFlightIsForegroundHoweverLongItTakes) {
  Rig rig;
  rig.earn();
  rig.moment.foreground.arrived += 1;
  rig.moment.foreground.in_flight = 1;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(rig.after(kS).read);
  rig.moment.foreground.in_flight = 0;
  rig.ask();
  EXPECT_LE(rig.wait_for_read(), 500 * kMs);
}

TEST(PaceTest, OneReadAtATime) {
  Rig rig;
  rig.wait_for_read();
  rig.pace.begun(rig.moment.now_ns, rig.moment.foreground);
  EXPECT_EQ(rig.after(3600 * kS).why, PaceWait::reading);
  rig.pace.finished(rig.moment.now_ns, rig.moment.foreground, 1);
  EXPECT_NE(rig.after(3600 * kS).why, PaceWait::reading);
}

TEST(PaceTest, AnIdleDiskIsReadHalfOfTheTime) {
  Rig rig;
  rig.wait_for_read();
  const std::uint64_t from = rig.moment.now_ns;
  for (int i = 0; i < 1000; ++i) {
    rig.read(8 * kMs);
    EXPECT_EQ(rig.wait_for_read(), 8 * kMs);
  }
  EXPECT_EQ(rig.moment.now_ns - from, 16'000 * kMs);
  rig.read(kMs / 10);
  EXPECT_EQ(rig.wait_for_read(), 2 * kMs);  // never less
}

TEST(PaceTest, StopsAtTheFirstForegroundRequest) {
  Rig rig;
  rig.earn();
  rig.wait_for_read();
  rig.read(8 * kMs, 1);
  EXPECT_EQ(rig.ask().why, PaceWait::foreground);
  EXPECT_EQ(rig.wait_for_read(), 500 * kMs);
}

TEST(PaceTest, WithoutCreditItWaitsForRequestsToEarnOne) {
  Rig rig;
  rig.wait_for_read();
  rig.read(8 * kMs, 2);  // one was covered
  rig.after(kS);
  EXPECT_EQ(rig.after(kS).why, PaceWait::credit);
  rig.foreground(9980);  // of them, and the two that collided, 5000 pay the debt
  rig.ask();
  EXPECT_EQ(rig.after(kS).why, PaceWait::credit);
  rig.foreground(20);
  rig.ask();
  EXPECT_TRUE(rig.after(kS).read);
}

TEST(PaceTest, AnIdleHourEarnsACreditToo) {
  Rig rig;
  rig.wait_for_read();
  rig.read(8 * kMs, 1);
  rig.after(kS);
  EXPECT_EQ(rig.ask().why, PaceWait::credit);
  EXPECT_LE(rig.wait_for_read(3600 * kS), 1801 * kS);
}

TEST(PaceTest, NoMoreThanEightCollisionsAreSavedUp) {
  Rig rig;
  for (int i = 0; i < 100; ++i) rig.earn();
  for (int i = 0; i < 8; ++i) {
    EXPECT_LE(rig.wait_for_read(), 500 * kMs) << i;
    rig.read(kMs, 1);
  }
  rig.after(kS);
  EXPECT_EQ(rig.ask().why, PaceWait::credit);
}

TEST(PaceTest, NoMoreThanEightCollisionsAreOwed) {
  Rig rig;
  rig.wait_for_read();
  rig.read(kMs, 10'000);  // they earn two
  rig.foreground(9 * 5000 - 100);
  rig.ask();
  EXPECT_EQ(rig.after(kS).why, PaceWait::credit);
  rig.foreground(200);
  rig.ask();
  EXPECT_TRUE(rig.after(kS).read);
}

TEST(PaceTest, TheRequestForWhichTheArmComesBackIsACollision) {
  Rig rig;
  rig.wait_for_read();
  rig.read(8 * kMs);
  EXPECT_EQ(rig.pace.collisions(), 0U);
  rig.after(10 * kMs);
  rig.foreground(50);
  rig.after(10 * kMs);
  EXPECT_EQ(rig.pace.collisions(), 1U);  // of a burst, the first one
  rig.foreground(50);
  rig.after(10 * kMs);
  EXPECT_EQ(rig.pace.collisions(), 1U);
}

TEST(PaceTest, DelaysThatAreLongAgainstTheLatencyUseUpTheCreditToo) {
  Rig rig;
  rig.earn();
  rig.wait_for_read();
  rig.read(5 * kS, 1);                      // a sector that the drive tries again and again
  rig.moment.foreground.arrived += 20'000;  // from a cache, at no time at all
  rig.ask();
  EXPECT_EQ(rig.after(kS).why, PaceWait::credit);
}

// Requests that come at random, whatever the scanner does.
struct Chance {
  std::uint64_t collided = 0;
  std::uint64_t requests = 0;
  std::uint64_t half_hours = 0;
};
Chance play(std::uint64_t seed, std::uint64_t mean_gap_ns, bool overdue) {
  sim::Dice dice(seed);
  Rig rig;
  rig.moment.overdue = overdue;
  Chance result;
  for (int i = 0; i < 200'000; ++i) {
    const PaceDecision decision = rig.ask();
    if (decision.read) {
      const std::uint64_t met = dice.below(mean_gap_ns) < 8 * kMs ? 1 : 0;
      rig.read(8 * kMs, met);
      result.collided += met;
    } else {
      const std::uint64_t wait = decision.until_ns - rig.moment.now_ns;
      rig.foreground(wait / mean_gap_ns + (dice.below(mean_gap_ns) < wait % mean_gap_ns ? 1 : 0));
      rig.moment.now_ns = decision.until_ns;
    }
  }
  result.half_hours = rig.moment.now_ns / (1800 * kS);
  result.requests = rig.pace.foreground_requests();
  EXPECT_GE(rig.pace.collisions(), result.collided);
  result.collided = rig.pace.collisions();
  return result;
}

TEST(PaceTest, Promise10_NoMoreThanOneRequestIn5000MeetsAScan) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const std::uint64_t gap : {20 * kMs, 200 * kMs, 900 * kMs, 2 * kS}) {
      const Chance on_time = play(seed, gap, false);
      EXPECT_GT(on_time.requests, 5000U);
      EXPECT_LE(on_time.collided, 2 + on_time.requests / 5000 + on_time.half_hours)
          << seed << " " << gap;
      const Chance overdue = play(seed, gap, true);
      EXPECT_LE(overdue.collided, 2 + overdue.requests / 2500 + 2 * overdue.half_hours)
          << seed << " " << gap;
    }
  }
}

TEST(PaceTest, UnderLoadOnlyWhatIsOverdueIsReadAndAtMostAFiftiethOfTheTime) {
  for (const bool overdue : {false, true}) {
    Rig rig;
    rig.moment.overdue = overdue;
    rig.moment.foreground.in_flight = 1;
    std::uint64_t reads = 0;
    std::uint64_t last_ns = 0;
    while (rig.moment.now_ns < 1000 * kS) {
      const PaceDecision decision = rig.ask();
      if (decision.read) {
        EXPECT_GE(rig.moment.now_ns, 60 * kS);  // a minute without an idle moment
        EXPECT_EQ(decision.most, kScanSegment);
        // Of 20 ms, the request that was being served took 5 on average.
        EXPECT_GE(rig.moment.now_ns - last_ns, 750 * kMs - kMs);
        last_ns = rig.moment.now_ns;
        rig.read(20 * kMs, 2);
        ++reads;
      } else {
        rig.foreground((decision.until_ns - rig.moment.now_ns) / (10 * kMs));
        rig.moment.now_ns = decision.until_ns;
      }
    }
    if (overdue) {
      EXPECT_GT(reads, 20U);
    } else {
      EXPECT_EQ(reads, 0U);
    }
  }
}

TEST(PaceTest, OnADiskThatIsIdleNowAndThenTheOverdueIsReadThen) {
  Rig rig;
  rig.moment.overdue = true;
  for (int i = 0; i < 1000; ++i) {
    rig.foreground(100);
    rig.moment.now_ns += 100 * kMs;
    EXPECT_FALSE(rig.ask().read);
    if (i % 100 == 99) {
      EXPECT_EQ(rig.wait_for_read(), 500 * kMs);
    }
  }
}

TEST(PaceTest, AHoldStandsAboveAll) {
  Rig rig;
  rig.moment.overdue = true;
  rig.earn();
  EXPECT_TRUE(rig.ask().read);
  for (const PaceHold hold : {PaceHold::paused, PaceHold::tripped, PaceHold::suspended,
                              PaceHold::frozen, PaceHold::on_battery, PaceHold::copying}) {
    rig.moment.hold = hold;
    EXPECT_EQ(rig.after(kS).why, PaceWait::held);
  }
  rig.moment.hold = PaceHold::none;
  EXPECT_TRUE(rig.after(kS).read);
}

TEST(PaceTest, OutsideOfItsWindowNothingIsReadAndItLooksAgainWithinAMinute) {
  Rig rig;
  rig.pace.set_policy({.window = *parse_pace_window("23:00-06:00"), .rate = 0});
  rig.moment.overdue = true;
  rig.earn();
  rig.moment.minute_of_day = 12 * 60;
  EXPECT_EQ(rig.ask().why, PaceWait::window);
  EXPECT_LE(rig.ask().until_ns, rig.moment.now_ns + 60 * kS);
  for (const unsigned minute : {23 * 60U, 24 * 60U - 1, 0U, 6 * 60U - 1}) {
    rig.moment.minute_of_day = minute;
    EXPECT_TRUE(rig.ask().read) << minute;
  }
  rig.moment.minute_of_day = 6 * 60;
  EXPECT_EQ(rig.ask().why, PaceWait::window);
}

TEST(PaceTest, TheRateHoldsOnAnIdleDisk) {
  Rig rig;
  rig.pace.set_policy({.window = {}, .rate = kMiB});
  rig.wait_for_read();
  const std::uint64_t from = rig.moment.now_ns;
  for (int i = 0; i < 80; ++i) {  // 10 MiB
    rig.read(kMs);
    rig.wait_for_read();
  }
  EXPECT_EQ(rig.moment.now_ns - from, 10 * kS);
}

TEST(PaceTest, ASlowdownHalvesWhatIsEarnedAndDoublesTheGaps) {
  Rig rig;
  rig.pace.set_slowdown(3);
  rig.wait_for_read();
  rig.read(8 * kMs);
  EXPECT_EQ(rig.wait_for_read(), 64 * kMs);
  rig.read(8 * kMs, 1);
  rig.foreground(5000 * 8 - 100);
  rig.ask();
  EXPECT_EQ(rig.after(kS).why, PaceWait::credit);
  rig.foreground(200);
  rig.ask();
  EXPECT_TRUE(rig.after(kS).read);
}

TEST(PaceTest, AClockThatGoesBackDelaysNoReadByMoreThanItsOwnWait) {
  Rig rig;
  rig.moment.now_ns = 1'000'000 * kS;
  rig.ask();
  rig.earn();
  rig.wait_for_read();
  rig.read(8 * kMs);
  rig.moment.now_ns = kS;
  EXPECT_LE(rig.wait_for_read(), 500 * kMs);
}

TEST(PaceTest, CountersThatFallAreANewCount) {
  Rig rig;
  rig.foreground(1000);
  rig.after(kS);
  rig.moment.foreground = {};
  EXPECT_EQ(rig.ask().why, PaceWait::foreground);
  EXPECT_EQ(rig.pace.foreground_requests(), 1000U);
  EXPECT_EQ(rig.wait_for_read(), 500 * kMs);
}

RC_GTEST_PROP(PaceTest, WhateverIsCountedItNeverReadsWithForegroundNorWaitsWithoutEnd, ()) {
  Pace pace({}, *rc::gen::arbitrary<std::uint64_t>() >> 1U);
  PaceMoment moment;
  const auto steps = *rc::gen::inRange(1, 60);
  for (int i = 0; i < steps; ++i) {
    moment.now_ns = *rc::gen::arbitrary<std::uint64_t>() >> 1U;
    const auto count = [] { return *rc::gen::arbitrary<std::uint64_t>(); };
    moment.foreground = {count(), *rc::gen::element<std::uint64_t>(0, 0, 1, UINT64_MAX), count()};
    const PaceDecision decision = pace.ask(moment);
    if (decision.read) {
      RC_ASSERT(moment.foreground.in_flight == 0U);
      pace.begun(moment.now_ns, moment.foreground);
      pace.finished(moment.now_ns, {count(), count(), count()}, count());
    } else {
      RC_ASSERT(decision.until_ns > moment.now_ns);
      RC_ASSERT(decision.until_ns <= moment.now_ns + 6400 * kS);
    }
  }
}

TEST(PaceWindowTest, ReadsWhatIsTyped) {
  EXPECT_EQ(*parse_pace_window("01:00-06:00"), (PaceWindow{60, 360}));
  EXPECT_EQ(*parse_pace_window("00:00-24:00"), PaceWindow{});
  EXPECT_EQ(to_text(*parse_pace_window("22:30-05:15")), "22:30-05:15");
  const PaceWindow night = *parse_pace_window("22:30-05:15");
  EXPECT_EQ(night.until(12 * 60), 10 * 60 + 30U);
  EXPECT_EQ(night.until(0), 0U);
  EXPECT_EQ(PaceWindow{}.until(1439), 0U);
}

TEST(PaceWindowTest, SaysWhatIsWrong) {
  for (const char* text :
       {"", "-", "01:00", "1:00-6:00", "01:00-25:00", "01:60-06:00", "24:00-06:00", "01:00-06:00-",
        "01:00 - 06:00", "ab:cd-ef:gh", "01:00-24:01"}) {
    const auto window = parse_pace_window(text);
    ASSERT_FALSE(window) << text;
    EXPECT_EQ(window.error().code, ErrorCode::usage);
    EXPECT_EQ(window.error().what, "not a window of time");
  }
  EXPECT_EQ(parse_pace_window("06:00-06:00").error().message(),
            "06:00-06:00: the window is empty: it would never scan; give 00:00-24:00 for the whole "
            "day, or pause the scanner");
}

TEST(PaceRateTest, ReadsWhatIsTypedAndRefusesNothingAtAll) {
  EXPECT_EQ(*parse_pace_rate("20MiB"), 20 * kMiB);
  EXPECT_EQ(*parse_pace_rate("20MiB/s"), 20 * kMiB);
  EXPECT_EQ(*parse_pace_rate("1"), 1U);
  for (const char* text : {"0", "0MiB", "0/s"}) {
    EXPECT_EQ(parse_pace_rate(text).error().what, "a rate of 0 would never scan");
  }
  for (const char* text : {"", "/s", "fast", "-1", "20MB"}) {
    EXPECT_EQ(parse_pace_rate(text).error().what, "not a rate");
  }
}

}  // namespace
}  // namespace dmremap::health
