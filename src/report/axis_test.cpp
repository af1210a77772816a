// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/axis.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace dmremap::report {
namespace {

std::vector<std::string> labels_of(const Axis& axis) {
  std::vector<std::string> out;
  for (const Tick& tick : axis.ticks) out.push_back(tick.label);
  return out;
}

using Labels = std::vector<std::string>;

TEST(Axis, CountsAreWholeAndRound) {
  EXPECT_EQ(labels_of(count_axis(0)), (Labels{"0", "1"}));
  EXPECT_EQ(labels_of(count_axis(1)), (Labels{"0", "1"}));
  EXPECT_EQ(labels_of(count_axis(3)), (Labels{"0", "1", "2", "3"}));
  EXPECT_EQ(labels_of(count_axis(9)), (Labels{"0", "5", "10"}));
  EXPECT_EQ(labels_of(count_axis(216)), (Labels{"0", "100", "200", "300"}));
  EXPECT_EQ(labels_of(count_axis(1e6)), (Labels{"0", "500k", "1M"}));
}

TEST(Axis, AnyNumberHasFewTicksThatCoverIt) {
  double most = 0.1;
  for (int i = 0; i < 700; ++i) {  // up to 3.7e19
    most *= 1.07;
    const Axis axis = count_axis(most);
    EXPECT_GE(axis.high, most);
    EXPECT_GE(axis.ticks.size(), 2U) << most;
    EXPECT_LE(axis.ticks.size(), 5U) << most;
    EXPECT_EQ(axis.share(0), 0);
    EXPECT_LE(axis.share(most), 1);
  }
}

TEST(Axis, ValuesBeyondItAreAtItsEnds) {
  const Axis axis = count_axis(10);
  EXPECT_EQ(axis.share(-5), 0);
  EXPECT_EQ(axis.share(1e30), 1);
  EXPECT_EQ(axis.share(std::numeric_limits<double>::infinity()), 1);
}

TEST(Axis, ARoomEndsWhereItIsFull) {
  EXPECT_EQ(labels_of(room_axis(4096)), (Labels{"0", "2k", "4.1k"}));
  EXPECT_EQ(room_axis(4096).high, 4096);
  EXPECT_EQ(labels_of(room_axis(0)), (Labels{"0", "1"}));
}

TEST(Axis, LatenciesAreByPowersOfTen) {
  EXPECT_EQ(labels_of(latency_axis(80, 21'000)),
            (Labels{"10 \u00b5s", "100 \u00b5s", "1 ms", "10 ms", "100 ms"}));
  EXPECT_EQ(labels_of(latency_axis(0, 0)), (Labels{"1 \u00b5s", "10 \u00b5s"}));
  EXPECT_EQ(labels_of(latency_axis(1000, 1000)), (Labels{"1 ms", "10 ms"}));
  const Axis axis = latency_axis(10, 1000);
  EXPECT_DOUBLE_EQ(axis.share(100), 0.5);
  EXPECT_EQ(axis.share(0), 0);
}

TEST(Axis, DaysCountFromToday) {
  EXPECT_EQ(labels_of(day_axis(364, 0)),
            (Labels{"\u2212360", "\u2212270", "\u2212180", "\u221290", "today"}));
  EXPECT_EQ(labels_of(day_axis(364, 365)),
            (Labels{"\u2212360", "\u2212180", "today", "+180", "+360"}));
  EXPECT_EQ(labels_of(day_axis(29, 0)),
            (Labels{"\u221228", "\u221221", "\u221214", "\u22127", "today"}));
  EXPECT_EQ(day_axis(0, 0).ticks, (std::vector<Tick>{{0, "today"}}));
}

TEST(Axis, APlaceIsInGibAndTheLastTickSaysSo) {
  EXPECT_EQ(labels_of(place_axis(1863)), (Labels{"0", "500", "1000", "1500 GiB"}));
  EXPECT_EQ(labels_of(place_axis(0.0625)), (Labels{"0", "0.02", "0.04", "0.06 GiB"}));
  EXPECT_EQ(labels_of(place_axis(2)), (Labels{"0", "0.5", "1", "1.5", "2 GiB"}));
  EXPECT_EQ(place_axis(1863).high, 1863);
  double top = 1e-7;
  for (int i = 0; i < 600; ++i) {
    top *= 1.09;
    const Axis axis = place_axis(top);
    EXPECT_EQ(axis.high, top);
    EXPECT_LE(axis.ticks.size(), 5U) << top;
    EXPECT_GE(axis.ticks.size(), 2U) << top;
    EXPECT_LE(axis.ticks.back().at, top);
  }
  EXPECT_GE(place_axis(0).ticks.size(), 1U);
  EXPECT_EQ(place_text(0.046875), "0.0469 GiB");
  EXPECT_EQ(place_text(1204.4), "1204 GiB");
  EXPECT_EQ(place_text(8.8e12), "8.8T GiB");
}

TEST(ShortNumber, SaysItInAFewCharacters) {
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(950), "950");
  EXPECT_EQ(short_number(1500), "1.5k");
  EXPECT_EQ(short_number(3'400'000), "3.4M");
  EXPECT_EQ(short_number(18'446'744'073'709'551'615.0), "18.4E");
  EXPECT_EQ(latency_text(80), "80 \u00b5s");
  EXPECT_EQ(latency_text(10'440), "10.4 ms");
  EXPECT_EQ(latency_text(3e6), "3 s");
}

}  // namespace
}  // namespace dmremap::report
