// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/main_watch.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dmremap::set {
namespace {

using Answer = MainWatch::Answer;

constexpr std::uint64_t kMs = 1'000'000;

// A disk, who uses it, and the watch.
struct Bed {
  MainWatch watch;
  MainWatch::Moment moment{1000 * kSecondNs, 0, health::Foreground{}};

  Bed() { EXPECT_EQ(watch.ask(moment), Answer::rest); }
  Answer after(std::uint64_t ns) {
    moment.now_ns += ns;
    return watch.ask(moment);
  }
  void others(std::uint64_t requests) { moment.others->arrived += requests; }
  void change_head() {
    ++moment.head_writes;
    others(1);
  }
  // After a change, with nobody else.
  void come_to_a_look() {
    EXPECT_EQ(after(0), Answer::wait);
    EXPECT_EQ(after(kSecondNs), Answer::look);
  }
  void looked(bool well) { watch.looked(moment.now_ns, well); }
};

TEST(MainWatchTest, WithoutAChangeOfTheHeadNothingIsLookedAt) {
  Bed bed;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(bed.after(5 * kSecondNs), Answer::rest);
    bed.others(static_cast<std::uint64_t>(i % 3));
  }
}

TEST(MainWatchTest, Promise10_WaitsForHalfASecondWithoutOthers) {
  Bed bed;
  bed.change_head();
  EXPECT_EQ(bed.after(5 * kSecondNs), Answer::wait) << "when that was is not known";
  EXPECT_EQ(bed.after(499 * kMs), Answer::wait);
  bed.others(1);
  EXPECT_EQ(bed.after(kMs), Answer::wait);
  bed.moment.others->in_flight = 1;
  EXPECT_EQ(bed.after(kSecondNs), Answer::wait) << "it is still under way";
  bed.moment.others->in_flight = 0;
  EXPECT_EQ(bed.after(499 * kMs), Answer::wait);
  EXPECT_EQ(bed.after(kMs), Answer::look);
  bed.looked(true);
  EXPECT_EQ(bed.after(5 * kSecondNs), Answer::rest);
}

TEST(MainWatchTest, WaitsForTheEndOfAReadOfTheScan) {
  Bed bed;
  bed.change_head();
  EXPECT_EQ(bed.after(0), Answer::wait);
  const auto others = bed.moment.others;
  bed.moment.others.reset();
  EXPECT_EQ(bed.after(kSecondNs), Answer::wait);
  bed.moment.others = others;
  EXPECT_EQ(bed.after(kMs), Answer::look) << "a scan is none of the others";
}

TEST(MainWatchTest, StatisticsThatFallAreNoQuietTime) {
  Bed bed;
  bed.others(100);
  bed.change_head();
  EXPECT_EQ(bed.after(0), Answer::wait);
  bed.moment.others->arrived = 3;
  EXPECT_EQ(bed.after(kSecondNs), Answer::wait);
  EXPECT_EQ(bed.after(kSecondNs), Answer::look);
}

TEST(MainWatchTest, WhatIsChangedDuringALookWantsAnother) {
  Bed bed;
  bed.change_head();
  bed.come_to_a_look();
  bed.change_head();
  bed.looked(true);
  bed.come_to_a_look();
}

TEST(MainWatchTest, AMainThatDoesNotReadWellRestsAndMaySleep) {
  Bed bed;
  bed.change_head();
  bed.come_to_a_look();
  bed.looked(false);
  bed.change_head();
  EXPECT_EQ(bed.after(kSecondNs), Answer::rest);
  EXPECT_EQ(bed.after(MainWatch::kRestNs - kSecondNs - 1), Answer::rest);
  EXPECT_EQ(bed.after(1), Answer::look);
  bed.looked(false);
  for (int day = 0; day < 10; ++day) EXPECT_EQ(bed.after(86'400 * kSecondNs), Answer::rest);
  bed.others(1);
  EXPECT_EQ(bed.after(kSecondNs), Answer::wait) << "once others have used it";
  EXPECT_EQ(bed.after(kSecondNs), Answer::look);
  bed.looked(true);
  EXPECT_EQ(bed.after(86'400 * kSecondNs), Answer::rest);
}

// Whatever others do, a change is looked at within a minute of the question that found it.
RC_GTEST_PROP(MainWatchTest, Promise8_NoLoadPutsALookOffForMoreThanAMinute, ()) {
  Bed bed;
  bed.change_head();
  const std::uint64_t begun_ns = bed.moment.now_ns;
  for (;;) {
    const Answer answer = bed.watch.ask(bed.moment);
    if (answer == Answer::look) break;
    RC_ASSERT(answer == Answer::wait);
    RC_ASSERT(bed.moment.now_ns < begun_ns + MainWatch::kLongestNs);
    bed.moment.now_ns += kMs * *rc::gen::inRange<std::uint64_t>(1, 5000);
    if (*rc::gen::inRange(0, 20) == 0) bed.moment.others.reset();
    if (*rc::gen::inRange(0, 20) == 0) bed.moment.others.emplace();
    if (!bed.moment.others) continue;
    bed.others(*rc::gen::inRange<std::uint64_t>(0, 3));
    bed.moment.others->in_flight = *rc::gen::inRange<std::uint64_t>(0, 2);
    bed.moment.head_writes += *rc::gen::inRange<std::uint64_t>(0, 2);
  }
}

}  // namespace
}  // namespace dmremap::set
