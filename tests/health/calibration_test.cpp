// SPDX-License-Identifier: GPL-2.0-or-later
// The forecast keeps what it states, and the check that says so can fail. A smaller sample than
// forecast-calibration draws.
#include "calibration.hpp"

#include <gtest/gtest.h>

#include "verdict_trial.hpp"

namespace dmremap::health::calibration {
namespace {

constexpr unsigned kDisks = 4000;
constexpr std::uint64_t kSeed = 7;

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

TEST(ForecastCalibration, TheIntervalCoversTheTruthInNineOfTen) {
  for (const Source source : {Source::test, Source::spots}) {
    const Calibration it = calibrate(source, forecast, kDisks, kSeed);
    EXPECT_EQ(it.all.count, kDisks);
    EXPECT_EQ(joined(failures(it)), "") << name_of(source);
  }
}

TEST(ForecastCalibration, TheSourcesHaveThePublishedShareOfDisksWithMoreErrors) {
  Random random(kSeed);
  for (const Source source :
       {Source::test, Source::spots, Source::regimes, Source::renewals, Source::wandering}) {
    EXPECT_NEAR(share_with_more(source, 30, kDisks, random), 0.60, 0.05) << name_of(source);
  }
}

// It covers the truth of 90 % of the disks, and says nothing about any of them.
TEST(ForecastCalibration, AlwaysTheBaseRateFails) {
  const Calibration it =
      calibrate(Source::test, base_rate(Source::test, kDisks, kSeed + 1), kDisks, kSeed);
  EXPECT_NEAR(it.all.covered(), 0.9, 0.02);
  EXPECT_NE(joined(failures(it)), "");
}

TEST(ForecastCalibration, AForecastThatLooksAtNoHistoryFails) {
  const Forecaster blind = [](const Growth& seen, double room) {
    Growth one_episode;
    one_episode.observed_days = seen.observed_days;
    one_episode.rises.push_back({seen.observed_days / 2, 5});
    return forecast(one_episode, room);
  };
  EXPECT_NE(joined(failures(calibrate(Source::test, blind, kDisks, kSeed))), "");
}

TEST(ForecastCalibration, ALineThroughTheGrowthFails) {
  const Forecaster line = [](const Growth& seen, double room) {
    double grown = 0.5;
    for (const auto& rise : seen.rises) grown += rise.amount;
    Forecast out;
    out.growth_seen = true;
    out.low_days = 0.5 * room * seen.observed_days / grown;
    out.high_days = 2 * room * seen.observed_days / grown;
    return out;
  };
  EXPECT_NE(joined(failures(calibrate(Source::test, line, kDisks, kSeed))), "");
}

TEST(ForecastCalibration, AnIntervalThatIsTooWideFails) {
  const Forecaster wide = [](const Growth& seen, double room) {
    Forecast out = forecast(seen, room);
    out.low_days /= 100;
    if (out.high_days) *out.high_days *= 100;
    return out;
  };
  EXPECT_NE(joined(failures(calibrate(Source::test, wide, kDisks, kSeed))), "");
}

// One disk in forty fails within a year, and half of those show nothing before.
TEST(VerdictTrial, AlarmsAreMostlyRightAndComeInTime) {
  constexpr unsigned kFleet = 2500;
  const VerdictTrial it = try_verdict(kFleet, kSeed);
  EXPECT_NEAR(static_cast<double>(it.failures) / kFleet, 0.025, 0.008);
  EXPECT_GE(it.replace_soon.precision(), 0.45);
  EXPECT_GE(it.replace_now.precision(), 0.85);
  EXPECT_GE(it.recall_with_signs(it.watch), 0.95);
  EXPECT_GE(it.recall_with_signs(it.replace_soon), 0.65);
  EXPECT_GE(it.replace_soon.lead_days_median, 30);
}

}  // namespace
}  // namespace dmremap::health::calibration
