// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict on a disk: one word, the reasons with their numbers, and the risk by a published
// table. Pure; docs/health-verdict.md names each input and its weight.
//
// What the shell around it supplies: a DiskState, gathered when a status is asked for or once a
// day; the history; forecasts, made once a day (they take half a millisecond). It shows `name_of`
// the verdict, the score, the texts of the reasons and of the risk, and computes none of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "health/forecast.hpp"
#include "health/history.hpp"
#include "health/risk.hpp"
#include "health/smart.hpp"

namespace dmremap::health {

// The later, the worse; `unknown` is beside them.
enum class Verdict : std::uint8_t { good, watch, replace_soon, replace_now, unknown };
// The words of the command line and of JSON, in the same order.
inline constexpr std::array<std::string_view, 5> kVerdictNames{"good", "watch", "replace-soon",
                                                               "replace-now", "unknown"};
[[nodiscard]] constexpr std::string_view name_of(Verdict verdict) {
  return kVerdictNames.at(static_cast<std::size_t>(verdict));
}
// A word that is none of these is `unknown`.
[[nodiscard]] Verdict verdict_named(std::string_view name);

enum class ReasonCode : std::uint8_t {
  nothing_seen,            // days observed
  bad_growing,             // blocks newly lost or remapped, days with any, of how many days
  bad_recently,            // blocks, days since the last
  bad_stable,              // blocks ever, days since the last
  recovered,               // reads, days with any, of how many days
  slow,                    // sectors, of how many days
  latency_drift,           // tenths of the factor, of how many days
  flush_errors,            // flushes, of how many days
  trips,                   // trips, of how many days
  spare_full,              // 1 if sectors went bad lately
  table_full,              // likewise
  spare_filling,           // days: low, median, high
  table_filling,           // likewise
  smart_unknown,           // detail: why
  smart_old,               // days since the last answer
  smart_failing,           //
  smart_errors_grew,       // attribute, by how much, now
  smart_errors_new,        // attribute, now: not known for long enough to tell whether it grows
  smart_errors_stable,     // attribute, now
  smart_reallocated_grew,  // by how much, now
  nvme_read_only,
  nvme_unreliable,
  nvme_spare_low,  // percent, threshold
  nvme_backup_failed,
  nvme_hot,
  nvme_media_errors,  // by how much, now
  nvme_worn,          // percent used
  own_reads_outrank,  // days since everything was read
};
[[nodiscard]] std::string_view name_of(ReasonCode code);  // "bad-growing"

// Why the verdict is what it is. The numbers are what the comment on the code says.
struct Reason {
  ReasonCode code = ReasonCode::nothing_seen;
  unsigned weight = 0;  // taken from the score; 0: only said
  std::array<std::uint64_t, 3> numbers{};
  std::string detail;

  bool operator==(const Reason&) const = default;
};
// One line for people, without a full stop.
[[nodiscard]] std::string text(const Reason& reason);

// What is there now; the growth is in the history.
struct DiskState {
  Medium medium = Medium::unknown;
  std::uint32_t sectors_per_block = 1;  // of main's physical block
  // The last answer of smartctl, if it is believed (smart.hpp); else why there is none.
  std::optional<SmartReading> smart;
  std::string smart_unknown_because;
  std::uint32_t smart_age_days = 0;
  // Since a pass of the scan read all of main and found nothing new; empty: none did.
  std::optional<std::uint32_t> clean_pass_days_ago;
  bool spare_full = false;
  bool table_full = false;
  std::optional<Forecast> spare_forecast;
  std::optional<Forecast> table_forecast;
};

struct HealthVerdict {
  Verdict verdict = Verdict::unknown;
  unsigned score = 0;           // 100: nothing speaks against the disk; 0 if unknown
  std::vector<Reason> reasons;  // the heaviest first; never empty
  Risk risk;
};

// From these sums of weights on.
inline constexpr unsigned kWatchFrom = 10;
inline constexpr unsigned kReplaceSoonFrom = 40;
inline constexpr unsigned kReplaceNowFrom = 80;
// Growth counts for this long.
inline constexpr std::uint32_t kGrowthDays = 30;
// Ten weeks after an error the risk of another one within the week is down to 1 % (Schroeder, FAST
// 2010); what did not grow for so long is stable.
inline constexpr std::uint32_t kStableDays = 70;
// With less than this, without a pass of the scan and without SMART, nothing is known.
inline constexpr std::uint32_t kObservedDaysLeast = 7;
// What the counters of SMART may weigh together; and once everything was read without trouble.
inline constexpr unsigned kSmartCountersMost = 40;
inline constexpr unsigned kSmartCountersMostIfRead = 25;

// Notes the counters of a believed answer in the history.
void note_smart(History& history, const SmartReading& reading);

[[nodiscard]] HealthVerdict assess(const History& history, const DiskState& state);

}  // namespace dmremap::health
