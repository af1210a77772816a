// SPDX-License-Identifier: GPL-2.0-or-later
// The messages about how a disk is doing: the verdict on it, and the year of daily counts on which
// the verdict rests (docs/health-verdict.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/json_types.hpp"
#include "health/history.hpp"
#include "health/latency_profile.hpp"
#include "set/health_status.hpp"

namespace dmremap::control {

// `code` is the word for it, `text` says it to people, with its numbers. `weight` is what it takes
// from the score; 0: only said.
struct HealthReasonReport {
  std::string code;
  std::uint64_t weight = 0;
  std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HealthReasonReport, code, weight, text)

// How many of 100 such disks fail within a year; both empty if no table tells. `source` is the
// table, or why there is none; `text` says all of it to people.
struct RiskReport {
  std::optional<std::uint64_t> low_of_100;
  std::optional<std::uint64_t> high_of_100;
  std::string source;
  std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RiskReport, low_of_100, high_of_100, source, text)

// How long the room in the spare or in the table lasts, in 9 of 10 cases. Without growth there is
// no `high_days`.
struct ForecastReport {
  std::string of;  // spare, table
  double low_days = 0;
  std::optional<double> high_days;
  std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ForecastReport, of, low_days, high_days, text)

// The drive's own account of itself. `state`: read asleep no-answer unreadable unsupported, or
// not-asked. `reason` says why nothing is known or believed, else it is empty. The recovery times
// are those of SCT ERC in seconds, 0: as long as the drive likes; empty: not known.
// `kernel_timeout_s` is the time after which the kernel gives a command up.
struct SmartReport {
  std::string state;
  std::string reason;
  bool believed = false;
  std::optional<std::string> asked;  // a time
  std::optional<double> read_recovery_s;
  std::optional<double> write_recovery_s;
  std::optional<std::uint64_t> kernel_timeout_s;
  std::string advice;  // what would help; empty: nothing to say
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SmartReport, state, reason, believed, asked, read_recovery_s,
                                   write_recovery_s, kernel_timeout_s, advice)

// The verdict: good watch replace-soon replace-now unknown. The reasons come the heaviest first,
// and there is at least one. `observed_days` is for how long the set was served, ever.
struct HealthReport {
  std::uint64_t score = 0;
  std::string verdict;
  std::vector<HealthReasonReport> reasons;
  double observed_days = 0;
  RiskReport risk;
  std::vector<ForecastReport> forecasts;
  std::optional<SmartReport> smart;  // empty for a set that does not run, or is read-only
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HealthReport, score, verdict, reasons, observed_days, risk,
                                   forecasts, smart)

// One day of running with something in it, or `span` adjacent ones. `date` is the wall clock's
// then, a label. The counts are of that day; a level is there if it differs from the one before.
struct HistoryDayReport {
  std::uint64_t day = 0;
  std::uint64_t span = 1;
  std::string date;
  std::map<std::string, std::uint64_t> counts;  // lost remapped recovered slow flush_errors trips
  std::map<std::string, std::uint64_t> levels;  // spare_used table_used reallocated ...
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HistoryDayReport, day, span, date, counts, levels)

// What a read of 128 KiB takes in one part of main, in microseconds; empty: the scan has not read
// the part yet. `slowest_us` is of the pass that runs and of the one before it.
struct LatencyPartReport {
  Sector sector;
  SectorCount count;
  std::optional<std::uint64_t> typical_us;
  std::optional<std::uint64_t> slowest_us;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LatencyPartReport, sector, count, typical_us, slowest_us)

// Days of running, the oldest first. `today` is the day that is not over yet; `older` was counted
// before the first of `days`, and `before` are the levels as they were then. Latencies are in
// microseconds. `latency` is that of all parts of main in their order; it is empty, or missing in
// the reply of an older program, if nobody measures it.
struct HistoryReply {
  std::uint64_t today = 0;
  std::map<std::string, std::uint64_t> older;
  std::map<std::string, std::uint64_t> before;
  std::vector<HistoryDayReport> days;
  std::vector<LatencyPartReport> latency{};

  // The sum of a count over the whole life of the set, at most 2^64 - 1: the reply is another
  // program's.
  [[nodiscard]] std::uint64_t total(const std::string& count) const;
};
void to_json(nlohmann::json& json, const HistoryReply& reply);
void from_json(const nlohmann::json& json, HistoryReply& reply);

struct HistoryRequest {
  static constexpr const char* kVerb = "history";
  using Reply = HistoryReply;
};

[[nodiscard]] HealthReport report_of(const set::HealthStatus& health);
// Without its latencies across main.
[[nodiscard]] HistoryReply report_of(const health::History& history);
[[nodiscard]] std::vector<LatencyPartReport> report_of(const health::LatencyProfile& profile);

}  // namespace dmremap::control
