// SPDX-License-Identifier: GPL-2.0-or-later
// The history of a set as series for charts: a year of days of running, of which only those with
// something in them are told. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/health_messages.hpp"

namespace dmremap::report {

inline constexpr std::uint64_t kChartDays = 365;
inline constexpr std::uint64_t kChartDaysLeast = 30;

// The days that a chart shows, as days before today: from `days` ago to today. The set was
// observed on the last `observed` of them.
struct Period {
  std::uint64_t days = kChartDaysLeast;
  std::uint64_t observed = 0;
};
[[nodiscard]] Period period_of(const control::HistoryReply& history);

// What was counted on one day, or on several that were merged. `ago` is the last of them.
struct CountedDays {
  std::uint64_t ago = 0;
  std::uint64_t span = 1;
  std::uint64_t count = 0;
  std::string date;
};
// Those within the period with a count above 0, the oldest first.
[[nodiscard]] std::vector<CountedDays> counts_of(const control::HistoryReply& history,
                                                 const std::string& what);
[[nodiscard]] std::uint64_t sum_of(const std::vector<CountedDays>& days);

// From this day on a level has the value, until the next one.
struct LevelStep {
  std::uint64_t ago = 0;
  std::uint64_t value = 0;
};
// The oldest first; the first one says what it was when the period began, if that is known. A level
// that is missing from the history has none.
[[nodiscard]] std::vector<LevelStep> steps_of(const control::HistoryReply& history,
                                              const std::string& what);

}  // namespace dmremap::report
