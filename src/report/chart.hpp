// SPDX-License-Identifier: GPL-2.0-or-later
// Charts as <svg> elements. Each is an image with a text that says what it shows; the numbers
// behind it stand in a table of the page. Colours come from the style sheet. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/axis.hpp"
#include "report/series.hpp"

namespace dmremap::report {

// Bars of what was counted a day. Of merged days each has its share: the bar is as wide as they
// are. `what` is for a reader who does not see it, plain text.
[[nodiscard]] std::string draw_counts(const std::vector<CountedDays>& days, const Period& period,
                                      const std::string& what);

// When the room will be used up, in days from today. Without `high` nothing grows, and it lasts
// at least `low`.
struct ForecastDays {
  double low = 0;
  std::optional<double> high;
};

// How much of a room was used, and the forecast to the right of today. `room`, if it is known, is
// the top of the chart.
[[nodiscard]] std::string draw_room(const std::vector<LevelStep>& steps, const Period& period,
                                    std::optional<double> room,
                                    const std::optional<ForecastDays>& forecast,
                                    const std::string& what);

// Two latencies in microseconds, on a logarithmic axis.
[[nodiscard]] std::string draw_latency(const std::vector<LevelStep>& median,
                                       const std::vector<LevelStep>& p99, const Period& period,
                                       const std::string& what);

// What reads take across the disk, on a logarithmic axis: a line for what is typical, a point for
// the slowest read of each part. Parts that are not read yet are shaded. At least one part is read.
[[nodiscard]] std::string draw_disk_latency(const std::vector<control::LatencyPartReport>& parts,
                                            const std::string& what);

// Of the numbers of a part: where it begins and ends.
[[nodiscard]] double begin_gib(const control::LatencyPartReport& part);
[[nodiscard]] double end_gib(const control::LatencyPartReport& part);

}  // namespace dmremap::report
