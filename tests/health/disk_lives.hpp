// SPDX-License-Identifier: GPL-2.0-or-later
// Simulated lives of disks, by which forecast and verdict are judged. All kinds of life are drawn
// from processes that the forecast does not know: it assumes independent episodes of log-normal
// size at a gamma distributed rate.
//
// - The test source is self-exciting (a Hawkes process, as used for earthquakes): bad areas come at
//   a background rate of the disk's own that ages as a Weibull hazard does, and each draws others
//   after it, with delays that follow a power law. Sizes follow a power law.
// - The second test source was written when the constants were fixed, and nothing was changed for
// it:
//   damaged spots appear more and more often, and each sheds areas for some weeks (a Neyman-Scott
//   process).
// - The development sources are what the constants of the forecast were set on. With `regimes`,
// calm
//   and active times alternate, the rate ages as Gompertz has it, and sizes are a mixture of few
//   and many. With `renewals`, the times between areas are Weibull distributed and get shorter, and
//   sizes are exponential. With `wandering`, the logarithm of the rate wanders (a Cox process),
//   nothing ages, and sizes are gamma distributed.
//
// All were held against the same published facts: of affected disks 55 to 62 % have more errors
// within a month (Bairavasundaram, SIGMETRICS 2007).
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "health/forecast.hpp"

namespace dmremap::health::calibration {

using Random = std::mt19937_64;

// New bad sectors, at a time in days since the disk began to fail.
struct BadArea {
  double day = 0;
  double sectors = 0;
};

// A disk that began to fail on day 0 and goes on for ever; areas are drawn as they are asked for.
class DiskLife {
 public:
  virtual ~DiskLife() = default;
  // The next area, in the order of time.
  [[nodiscard]] virtual BadArea next() = 0;
};

enum class Source { test, spots, regimes, renewals, wandering };
[[nodiscard]] std::string_view name_of(Source source);
// `random` must live as long.
[[nodiscard]] std::unique_ptr<DiskLife> draw_life(Source source, Random& random);

// What a forecast is asked, and the truth.
struct ForecastCase {
  Growth seen;
  double room = 0;
  double truth_days = 0;
};
// A disk that is looked at a week to a year after its set was made, which was up to two months
// after it began to fail; 4 to 2,000 sectors are left, so that most spares fill within ten years.
[[nodiscard]] ForecastCase draw_case(Source source, Random& random);

// The share of disks with another area within `days` of the first.
[[nodiscard]] double share_with_more(Source source, double days, unsigned disks, Random& random);

}  // namespace dmremap::health::calibration
