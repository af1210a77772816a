// SPDX-License-Identifier: GPL-2.0-or-later
// How long the spare, or the table, will last at the growth that a disk has shown: an interval of
// days that holds the truth in nine of ten cases, or, if nothing grew, a number of days that is
// exceeded in nine of ten. Pure: the same history always gives the same forecast.
//
// Bad sectors come in bursts, not along a line (Bairavasundaram, SIGMETRICS 2007: 40 to 80 % of
// errors within a minute of the one before). So what is modelled is episodes. Days with growth
// that follow each other within kEpisodeGapDays are one episode; episodes come at a rate that is
// not known (a gamma distribution, narrowed down by what was seen, the newer the more), and how
// much an episode takes is not known either (a log-normal distribution of unknown mean and spread).
// The forecast draws futures from what these leave open and states their quantiles. Its method, its
// constants and how they were found: docs/health-verdict.md; measured by `forecast-calibration`.
//
// What the shell supplies: a history (history.hpp) with `spare_used` and `table_used` noted daily,
// and the room that is left now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "health/history.hpp"

namespace dmremap::health {

inline constexpr double kEpisodeGapDays = 7;
// Beyond this, a text says "more than 10 years"; the numbers go on.
inline constexpr double kForecastHorizonDays = 3652;

// What grew, and when. `days_ago` is 0 for today; the oldest comes first.
struct Growth {
  struct Rise {
    double days_ago = 0;
    double amount = 0;
  };
  std::vector<Rise> rises;
  double observed_days = 0;  // for how long growth would have been seen
};

// Growth of a level over the days that are kept.
[[nodiscard]] Growth growth_of(const History& history, Level what);
// How many episodes its rises are.
[[nodiscard]] std::uint32_t episodes_in(const Growth& growth);

struct Forecast {
  bool growth_seen = false;
  std::uint32_t episodes = 0;
  double observed_days = 0;
  // With growth, 90 % of such disks need between `low_days` and `high_days` until the room is used
  // up. Without, 90 % need more than `low_days`, and there is no `high_days`.
  double low_days = 0;
  std::optional<double> high_days;
  double median_days = 0;
};

// `room` is what is left, in the unit of the growth; 0 is full already.
[[nodiscard]] Forecast forecast(const Growth& growth, double room);

// "spare full in 40 to 210 days at this growth (90 %)", "no growth seen in 90 days: spare lasts at
// least 300 days (90 %)".
[[nodiscard]] std::string text(const Forecast& forecast, std::string_view what);

}  // namespace dmremap::health
