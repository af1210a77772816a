// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "report/chart.hpp"
#include "report/html.hpp"
#include "report/sections.hpp"

namespace dmremap::report {

namespace {

using control::HistoryReply;

// The counts of the history. Those that are `always` shown are what a reader looks for; the others
// only if there were any.
struct CountKind {
  const char* name;  // in the history
  const char* title;
  const char* unit;
  bool always;
};
constexpr std::array<CountKind, 6> kCounts{
    {{"lost", "Lost", "sectors that could not be read", true},
     {"remapped", "Remapped", "sectors that moved to the spare", true},
     {"recovered", "Recovered", "reads that succeeded only when repeated", true},
     {"slow", "Slow", "sectors far slower than their neighbours", false},
     {"flush_errors", "Flush errors", "flushes that the disk failed", false},
     {"trips", "Dropouts", "of the whole disk", false}}};

std::string figure(const std::string& title, const std::string& big, const std::string& note,
                   const std::string& svg) {
  return fmt::format(
      "<figure><figcaption><span class=\"name\">{}</span> <strong>{}</strong> {}</figcaption>\n"
      "{}</figure>\n",
      title, big, note, svg);
}

std::string count_figure(const HistoryReply& history, const Period& period, const CountKind& kind) {
  const auto days = counts_of(history, kind.name);
  const std::uint64_t sum = sum_of(days);
  const std::uint64_t total = history.total(kind.name);
  if (total == 0 && !kind.always) return {};
  std::string note = kind.unit;
  if (total > sum) note += fmt::format("; {} ever", total);
  if (days.empty()) {
    return figure(
        kind.title, "0", note,
        fmt::format("<p class=\"none\">None in {}.</p>\n", counted(period.observed, "day")));
  }
  const std::string what =
      fmt::format("{} per day: {} on {} in {} of running", kind.title, sum,
                  counted(days.size(), "day"), counted(period.observed, "day"));
  return figure(kind.title, std::to_string(sum), note, draw_counts(days, period, what));
}

std::optional<ForecastDays> forecast_of(const ReportFacts& facts, const std::string& of,
                                        std::string& text) {
  if (!facts.set.health) return {};
  for (const control::ForecastReport& one : facts.set.health->forecasts) {
    if (one.of != of) continue;
    text = one.text;
    return ForecastDays{one.low_days, one.high_days};
  }
  return {};
}

std::string room_figure(const ReportFacts& facts, const Period& period, const std::string& of,
                        const char* title, const char* unit, std::optional<double> room) {
  const auto steps = steps_of(*facts.history, of + "_used");
  std::string text;
  const auto forecast = forecast_of(facts, of, text);
  if (steps.empty() && text.empty()) return {};
  std::string note = unit;
  if (room) note += fmt::format(" of {:.0f}", *room);
  if (!text.empty()) note += "; " + isolated(text);
  const std::string used = steps.empty() ? "?" : std::to_string(steps.back().value);
  const std::string what = fmt::format("{}: {} {}. {}", title, used, unit, text);
  const std::string chart =
      steps.empty() ? std::string() : draw_room(steps, period, room, forecast, what);
  return figure(title, used, note, chart);
}

std::string rooms_html(const ReportFacts& facts, const Period& period) {
  const auto spare = static_cast<double>(facts.set.spare_room().capacity);
  return room_figure(facts, period, "spare", "Spare in use", "sectors",
                     spare > 0 ? std::optional(spare) : std::nullopt) +
         room_figure(facts, period, "table", "Table in use", "entries", {});
}

// The numbers behind the bars, for a reader who does not see them or wants to compute.
std::string numbers_html(const HistoryReply& history, const Period& period) {
  std::vector<CountKind> kinds;
  std::vector<Column> columns{{"Day"}};
  for (const CountKind& kind : kCounts) {
    if (counts_of(history, kind.name).empty()) continue;
    kinds.push_back(kind);
    columns.push_back({kind.title, true});
  }
  Table table("Days with something in them, the newest first", columns, "days");
  for (auto day = history.days.rbegin(); day != history.days.rend(); ++day) {
    if (history.today > day->day && history.today - day->day >= period.days) break;
    std::vector<std::string> cells{isolated(day->date)};
    if (day->span > 1) cells.front() += fmt::format(" ({} days)", day->span);
    bool any = false;
    for (const CountKind& kind : kinds) {
      const auto found = day->counts.find(kind.name);
      const std::uint64_t count = found == day->counts.end() ? 0 : found->second;
      any = any || count > 0;
      cells.push_back(std::to_string(count));
    }
    if (any) table.add_row(cells);
  }
  if (table.empty()) return {};
  return "<details><summary>The numbers, day by day</summary>\n" + table.html() + "</details>\n";
}

constexpr const char* kUnknown =
    "<p class=\"none\">There is no history to draw: the metadata has none, or the set is served by "
    "an older version.</p>\n";

}  // namespace

std::string growth_html(const ReportFacts& facts) {
  if (!facts.history) return section("growth", "Growth over time", kUnknown);
  const HistoryReply& history = *facts.history;
  const Period period = period_of(history);
  std::string counts;
  for (const CountKind& kind : kCounts) counts += count_figure(history, period, kind);
  std::string out = fmt::format(
      "<p>A bar is a day on which the set was served, the last {} of them; the time in which it "
      "did "
      "not run is left out.</p>\n<div class=\"charts\">\n{}</div>\n",
      period.observed, counts);
  if (const std::string rooms = rooms_html(facts, period); !rooms.empty()) {
    out += "<div class=\"charts large\">\n" + rooms + "</div>\n";
    out += "<p class=\"source\">The dashed line is a full spare.";
    if (rooms.find("class=\"forecast\"") != std::string::npos) {
      out +=
          " The shaded wedge to the right of today is where the use will go in 9 of 10 cases, in "
          "days in which the set is served.";
    }
    out += "</p>\n";
  }
  return section("growth", "Growth over time", out + numbers_html(history, period));
}

}  // namespace dmremap::report
