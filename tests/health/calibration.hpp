// SPDX-License-Identifier: GPL-2.0-or-later
// Whether forecasts keep what they state: over many simulated disks (disk_lives.hpp), how often the
// stated interval holds the truth, for all disks and for those alike in what was seen, and how much
// narrower it is than one that knows only what happens to disks in general.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "disk_lives.hpp"
#include "health/forecast.hpp"

namespace dmremap::health::calibration {

using Forecaster = std::function<Forecast(const Growth& seen, double room)>;

// How a forecast did on disks that have something in common.
struct Coverage {
  std::string disks;
  std::uint64_t count = 0;
  std::uint64_t too_early = 0;  // the truth came before the interval
  std::uint64_t too_late = 0;   // and after it
  double width = 0;             // median of the decades from low to high, where there is a high

  [[nodiscard]] double covered() const;
};

struct Calibration {
  Coverage all;
  std::vector<Coverage> strata;
  // Mean interval score (Gneiting and Raftery, 2007) in decades, of disks with growth: the width,
  // and 20 times what the truth lies outside. And of the interval that holds 90 % of all disks.
  double score = 0;
  double base_rate_score = 0;
};

// The interval that holds the truth of 90 % of the disks of a source, whatever was seen of them.
[[nodiscard]] Forecaster base_rate(Source source, unsigned disks, std::uint64_t seed);

[[nodiscard]] Calibration calibrate(Source source, const Forecaster& forecaster, unsigned disks,
                                    std::uint64_t seed);

// What is wrong with it; empty if nothing is. All disks: 88 to 92 %. Each stratum of at least
// 1000 disks: 82 to 98 %. The score: at most kScoreMost of the base rate's.
inline constexpr double kCoveredLeast = 0.88;
inline constexpr double kCoveredMost = 0.92;
inline constexpr double kStratumLeast = 0.82;
inline constexpr double kStratumMost = 0.98;
inline constexpr double kScoreMost = 0.8;
[[nodiscard]] std::vector<std::string> failures(const Calibration& calibration);

}  // namespace dmremap::health::calibration
