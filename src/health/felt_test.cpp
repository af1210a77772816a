// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/felt.hpp"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "health/pace.hpp"
#include "rig/felt_load.hpp"
#include "sim/dice.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kS = 1000 * kMs;

using rig::felt_coverage;
using rig::FeltForeground;

TEST(FeltTest, TheIntervalCoversTheEffectIn95PercentOfSeries) {
  // 2000 series make it right to 0.5 points; three of these either way.
  EXPECT_NEAR(felt_coverage({}, 0), 95, 1.5);
}

TEST(FeltTest, AnIntervalOfABiasedMeasurementDoesNot) {
  EXPECT_LT(felt_coverage({.bias = 1.08}, 0), 90);
}

TEST(FeltTest, NoEffectHardlyEverLowersThePace) {
  unsigned lowered = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Felt felt;
    FeltForeground foreground(seed);
    unsigned most = 0;
    for (unsigned pair = 0; pair < 412; ++pair) {
      foreground.pair(felt, {}, 50);
      most = std::max(most, felt.slowdown());
    }
    lowered += most > 0 ? 1 : 0;
  }
  // At most 13 looks at 2.5 % each.
  EXPECT_LT(lowered, 40U);
}

using rig::pairs_until_lowered;

TEST(FeltTest, AnEffectOfThreePercentIsFoundAndLowersThePace) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_LT(pairs_until_lowered({.factor = 1.03}, seed), 1500U) << seed;
  }
}

TEST(FeltTest, StallsThatAreRareAndLongAreFoundToo) {
  // One request in 2000 waits for two seconds: the median does not see it, nor a trimmed mean.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_LT(pairs_until_lowered({.stall_chance = 1.0 / 2000, .stall_ms = 2000}, seed), 200U);
  }
}

TEST(FeltTest, ThePaceRisesAgainWhenNothingIsFeltAnyMore) {
  Felt felt;
  FeltForeground foreground(1);
  for (unsigned pair = 0; pair < 30; ++pair) foreground.pair(felt, {.factor = 2}, 100);
  EXPECT_EQ(felt.slowdown(), 1U);
  EXPECT_FALSE(felt.report().enough);  // what was measured was another pace
  for (unsigned pair = 0; pair < 2000 && felt.slowdown() > 0; ++pair) {
    foreground.pair(felt, {.factor = 0.99}, 500);
  }
  EXPECT_EQ(felt.slowdown(), 0U);
}

TEST(FeltTest, ThePaceHardlyRisesByChanceWhileTheIntervalIsWide) {
  unsigned raised = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Felt felt;
    FeltForeground foreground(seed);
    for (unsigned pair = 0; pair < 30; ++pair) foreground.pair(felt, {.factor = 2}, 100);
    for (unsigned pair = 0; pair < 30; ++pair) foreground.pair(felt, {}, 20);
    if (felt.slowdown() == 0) ++raised;
  }
  // The estimate alone is under 1 % in more than half of them.
  EXPECT_LE(raised, 5U);
}

TEST(FeltTest, WhatTakesUntilAfterItsPairIsNotOfTheNext) {
  Felt felt;
  bool ended = false;
  for (std::uint64_t now = 0; now < 300 * kS; now += 100 * kMs) {
    const bool in_pair = felt.window() != FeltWindow::none;
    felt.advance(now, true, now * 977);
    ended = ended || (in_pair && felt.window() == FeltWindow::none);
    if (felt.window() != FeltWindow::none) continue;
    felt.sample(FeltWindow::with_scan, kS);
    felt.sample(FeltWindow::without_scan, kS);
  }
  EXPECT_TRUE(ended);
  EXPECT_EQ(felt.report().pairs, 0U);
}

TEST(FeltTest, ThePaceIsLoweredAtMostSixTimes) {
  Felt felt;
  FeltForeground foreground(1);
  for (unsigned pair = 0; pair < 1000; ++pair) foreground.pair(felt, {.factor = 3}, 20);
  EXPECT_EQ(felt.slowdown(), kSlowdownMax);
}

TEST(FeltTest, ThePercentileIsThatOfAllRequestsOfEitherKind) {
  Felt felt(FeltControl::reports_only);
  for (unsigned pair = 0; pair < 30; ++pair) {
    for (unsigned i = 0; i < 1000; ++i) {
      felt.sample(FeltWindow::without_scan, (i < 980 ? 10 : 100) * kMs);
      felt.sample(FeltWindow::with_scan, (i < 980 ? 10 : 110) * kMs);
    }
    felt.end_pair();
  }
  EXPECT_NEAR(felt.report().p99_percent, 10, 2);
}

TEST(FeltTest, SaysWhatItKnows) {
  Felt felt;
  EXPECT_EQ(to_text(felt.report()),
            "felt: too few pairs of windows (0 of 30): the credit alone rules");
  EXPECT_EQ(to_text({412, true, 0.3, -0.2, 0.8, 0.1, 0}),
            "felt: mean +0.3 % (-0.2 to +0.8), p99 +0.1 %, 412 pairs of windows");
  EXPECT_EQ(
      to_text({12, false, 0, 0, 0, 0, 2}),
      "felt: too few pairs of windows (12 of 30): the credit alone rules, pace lowered to 1/4");
}

TEST(FeltTest, AWindowWithHardlyARequestMakesNoPair) {
  Felt felt;
  for (int i = 0; i < 1000; ++i) felt.sample(FeltWindow::with_scan, kMs);
  for (int i = 0; i < 7; ++i) felt.sample(FeltWindow::without_scan, kMs);
  felt.end_pair();
  EXPECT_EQ(felt.report().pairs, 0U);
  for (int i = 0; i < 8; ++i) felt.sample(FeltWindow::with_scan, 0);
  for (int i = 0; i < 8; ++i) felt.sample(FeltWindow::without_scan, UINT64_MAX);
  felt.end_pair();
  EXPECT_EQ(felt.report().pairs, 1U);
}

TEST(FeltHistogramTest, QuantilesAreRightToTwoPercent) {
  FeltHistogram histogram;
  for (std::uint64_t us = 1; us <= 100'000; ++us) histogram.add(us * 1000);
  for (const double fraction : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_NEAR(histogram.quantile_ns(fraction) / (fraction * 1e8), 1, 0.02) << fraction;
  }
  histogram.halve();
  EXPECT_NEAR(histogram.quantile_ns(0.99) / 0.99e8, 1, 0.02);
  histogram.clear();
  EXPECT_EQ(histogram.quantile_ns(0.99), 0);
  histogram.add(0);
  histogram.add(UINT64_MAX);
  EXPECT_EQ(histogram.count(), 2U);
}

TEST(FeltMeanTest, StudentsIntervalOfAKnownSample) {
  FeltMean mean;
  EXPECT_TRUE(std::isinf(mean.half_width()));
  for (int i = 1; i <= 30; ++i) mean.add(i);
  EXPECT_NEAR(mean.mean(), 15.5, 1e-9);
  EXPECT_NEAR(mean.half_width(), 2.0452 * 8.8034 / std::sqrt(30.0), 1e-3);
  for (int i = 0; i < 100'000; ++i) mean.add(7);
  EXPECT_NEAR(mean.mean(), 7, 1e-3);
}

// Runs windows in steps of 100 ms, and counts what they are.
struct WindowCounts {
  unsigned pairs = 0;
  unsigned voids = 0;
  std::uint64_t with_ms = 0;
  std::uint64_t without_ms = 0;
  std::array<unsigned, 2> first{};  // pairs that begin with, and without the scan
};
WindowCounts run_windows(std::uint64_t seconds, auto wanted_at) {
  FeltWindows windows;
  sim::Dice dice(1);
  WindowCounts counts;
  FeltWindow before = FeltWindow::none;
  for (std::uint64_t ms = 0; ms < seconds * 1000; ms += 100) {
    const auto ended = windows.advance(ms * kMs, wanted_at(ms), dice.next());
    counts.pairs += ended == FeltWindows::Ended::pair ? 1 : 0;
    counts.voids += ended == FeltWindows::Ended::void_pair ? 1 : 0;
    const FeltWindow now = windows.window();
    if (before == FeltWindow::none && now != before) {
      ++counts.first[now == FeltWindow::with_scan ? 0 : 1];
    }
    if (now == FeltWindow::with_scan) counts.with_ms += 100;
    if (now == FeltWindow::without_scan) counts.without_ms += 100;
    before = now;
  }
  return counts;
}

TEST(FeltWindowsTest, APairAboutOnceAMinuteInAnOrderByTheCoin) {
  const WindowCounts counts = run_windows(60'000, [](std::uint64_t) { return true; });
  EXPECT_NEAR(counts.pairs, 1000, 50);
  EXPECT_EQ(counts.voids, 0U);
  EXPECT_NEAR(counts.first[0], counts.pairs / 2.0, 80);
  EXPECT_NEAR(static_cast<double>(counts.with_ms), static_cast<double>(counts.without_ms), 10'000);
  // Scanning is withheld for a sixth of the time.
  EXPECT_NEAR(static_cast<double>(counts.without_ms) / 60e6, 1.0 / 6, 0.01);
}

TEST(FeltWindowsTest, AScannerWithNothingToReadVoidsThePair) {
  const auto counts = run_windows(6000, [](std::uint64_t ms) { return ms % 15'000 != 0; });
  EXPECT_EQ(counts.pairs, 0U);
  EXPECT_GT(counts.voids, 10U);
  EXPECT_EQ(run_windows(6000, [](std::uint64_t) { return false; }).without_ms, 0U);
}

TEST(FeltWindowsTest, AJumpOfTimeVoidsThePair) {
  for (const std::uint64_t jump_to : {std::uint64_t{0}, 10'000 * kS}) {
    FeltWindows windows;
    std::uint64_t now = 5000 * kS;
    while (windows.window() == FeltWindow::none) windows.advance(now += kS, true, 1);
    EXPECT_EQ(windows.advance(jump_to, true, 1), FeltWindows::Ended::void_pair);
    EXPECT_EQ(windows.window(), FeltWindow::none);
  }
}

TEST(FeltTest, WithoutAScanWindowTheScannerMayRead) {
  Felt felt;
  EXPECT_TRUE(felt.may_scan());
  EXPECT_FALSE(felt.measuring(0));
  bool held = false;
  for (std::uint64_t now = 0; now < 300 * kS; now += 100 * kMs) {
    felt.advance(now, true, now * 977);
    if (!felt.may_scan()) held = true;
    if (felt.measuring(now)) felt.sample(felt.window(), 3 * kMs);
  }
  EXPECT_TRUE(held);
  EXPECT_GT(felt.report().pairs, 0U);
}

}  // namespace
}  // namespace dmremap::health
