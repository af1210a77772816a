// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/series.hpp"

#include <algorithm>

namespace dmremap::report {

namespace {

std::uint64_t add_capped(std::uint64_t a, std::uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

std::uint64_t at_or_zero(const std::map<std::string, std::uint64_t>& from,
                         const std::string& what) {
  const auto found = from.find(what);
  return found == from.end() ? 0 : found->second;
}

// A day that is later than today is today: the history is told by another program, which may be of
// another version.
std::uint64_t ago_of(const control::HistoryReply& history, const control::HistoryDayReport& day) {
  return history.today > day.day ? history.today - day.day : 0;
}

}  // namespace

Period period_of(const control::HistoryReply& history) {
  const std::uint64_t observed = std::min(history.today, kChartDays - 1) + 1;
  return {std::max(observed, kChartDaysLeast), observed};
}

std::vector<CountedDays> counts_of(const control::HistoryReply& history, const std::string& what) {
  std::vector<CountedDays> out;
  const Period period = period_of(history);
  for (const control::HistoryDayReport& day : history.days) {
    const std::uint64_t count = at_or_zero(day.counts, what);
    const std::uint64_t ago = ago_of(history, day);
    if (count > 0 && ago < period.days) {
      out.push_back({ago, std::max<std::uint64_t>(day.span, 1), count, day.date});
    }
  }
  return out;
}

std::uint64_t sum_of(const std::vector<CountedDays>& days) {
  std::uint64_t out = 0;
  for (const CountedDays& day : days) out = add_capped(out, day.count);
  return out;
}

std::vector<LevelStep> steps_of(const control::HistoryReply& history, const std::string& what) {
  std::vector<LevelStep> out;
  const Period period = period_of(history);
  const std::uint64_t begin = period.observed - 1;
  if (const auto before = history.before.find(what); before != history.before.end()) {
    out.push_back({begin, before->second});
  }
  for (const control::HistoryDayReport& day : history.days) {
    const auto found = day.levels.find(what);
    if (found == day.levels.end()) continue;
    const std::uint64_t ago = std::min(ago_of(history, day), begin);
    // Of what was before the period only the last value matters.
    if (!out.empty() && out.back().ago == ago) out.pop_back();
    out.push_back({ago, found->second});
  }
  return out;
}

}  // namespace dmremap::report
