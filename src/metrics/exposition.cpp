// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/exposition.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/time_text.hpp"
#include "base/units.hpp"
#include "health/verdict.hpp"
#include "metrics/family.hpp"
#include "monitor/message.hpp"

namespace dmremap::metrics {

namespace {

using control::HealthReport;
using control::ScrubReport;
using control::SetReport;
using monitor::Presence;
using Type = Family::Type;

constexpr auto kDaySeconds = static_cast<double>(health::kDaySeconds);
constexpr std::array<std::string_view, 6> kStates{"healthy", "degraded", "read-only",
                                                  "tripped", "stopped",  "unknown"};
constexpr std::array<std::string_view, 4> kScanStates{"idle", "waiting", "running", "paused"};

// Seconds since 1970 of "2026-11-22T15:19:39Z"; 0: it is no time.
double unix_seconds(const std::string& text) {
  const std::uint64_t seconds = parse_utc_time(text).value_or(0) / kSecondNs;
  return static_cast<double>(seconds);
}

// Builds the text, family by family: all samples of one stand together.
class Exposition {
 public:
  explicit Exposition(std::span<const MeasuredSet> sets) : sets_(sets) {}

  using OfSet = std::function<void(Family&, const std::string& set, const MeasuredSet&)>;
  using OfReport = std::function<void(Family&, const std::string& set, const SetReport&)>;

  void of_all(std::string_view name, Type type, std::string_view help, const OfSet& add) {
    Family family(name, type, help);
    for (const MeasuredSet& set : sets_) add(family, set.look.name, set);
    text_ += family.text();
  }
  // Of the sets that answer.
  void of_serving(std::string_view name, Type type, std::string_view help, const OfReport& add) {
    of_all(name, type, help, [&](Family& family, const std::string& set, const MeasuredSet& one) {
      if (one.look.presence == Presence::serving && one.look.report) {
        add(family, set, *one.look.report);
      }
    });
  }
  void add(const Family& family) { text_ += family.text(); }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::span<const MeasuredSet> sets_;
  std::string text_;
};

std::string_view state_of(const MeasuredSet& set) {
  switch (set.look.presence) {
    case Presence::serving:
      return set.look.report ? std::string_view(set.look.report->state) : "unknown";
    case Presence::died:
    case Presence::stopped:
      return "stopped";
    default:
      return "unknown";
  }
}

bool has_condition(const MeasuredSet& set, std::string_view word) {
  if (word == "died") return set.look.presence == Presence::died;
  if (set.look.presence != Presence::serving || !set.look.report) return false;
  return word == "doubtful" ? set.look.report->doubtful
                            : set.look.report->has_condition(std::string(word));
}

void add_state(Exposition& out) {
  out.of_all(
      "dmremap_set_up", Type::gauge, "Whether the process of the set answers.",
      [](Family& family, const std::string& set, const MeasuredSet& one) {
        family.add({{"set", set}}, std::uint64_t{one.look.presence == Presence::serving ? 1U : 0U});
      });
  out.of_all("dmremap_set_state", Type::gauge, "1 for the state that the set is in.",
             [](Family& family, const std::string& set, const MeasuredSet& one) {
               family.add_one_of(set, "state", kStates, state_of(one));
             });
  out.of_all("dmremap_condition", Type::gauge,
             "1 for each condition that holds; dmremap-status(8) explains them.",
             [](Family& family, const std::string& set, const MeasuredSet& one) {
               const auto add = [&](std::string_view word) {
                 family.add({{"set", set}, {"condition", word}},
                            std::uint64_t{has_condition(one, word) ? 1U : 0U});
               };
               for (const auto& type : monitor::condition_types()) add(type.condition);
               add("died");
             });
  out.of_all("dmremap_set_attention", Type::gauge,
             "1 if a person must look after the set: the exit status 4 of dmremap status.",
             [](Family& family, const std::string& set, const MeasuredSet& one) {
               family.add({{"set", set}}, std::uint64_t{one.look.needs_attention() ? 1U : 0U});
             });
  out.of_serving("dmremap_set_info", Type::gauge, "The UUID of the set and the path of main.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   family.add(
                       {{"set", set}, {"uuid", to_string(report.uuid)}, {"main", report.main.path}},
                       std::uint64_t{1});
                 });
}

void add_sectors(Exposition& out) {
  out.of_serving("dmremap_size_bytes", Type::gauge, "The size of main.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   family.add({{"set", set}}, report.size_sectors * kSectorBytes);
                 });
  out.of_serving(
      "dmremap_sectors", Type::gauge,
      "Sectors of 512 bytes that are not good, by state; each is counted once.",
      [](Family& family, const std::string& set, const SetReport& report) {
        family.add({{"set", set}, {"state", "remapped"}}, report.remapped_sectors);
        family.add({{"set", set}, {"state", "lost"}}, report.lost_sectors - report.gone_sectors);
        family.add({{"set", set}, {"state", "gone"}}, report.gone_sectors);
        family.add({{"set", set}, {"state", "suspect"}}, report.suspect_sectors);
      });
  out.of_serving("dmremap_spare_bytes", Type::gauge, "Room for data on the spares, by state.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   const auto room = report.spare_room();
                   family.add({{"set", set}, {"state", "used"}}, room.used() * kSectorBytes);
                   family.add({{"set", set}, {"state", "free"}}, room.free * kSectorBytes);
                   family.add({{"set", set}, {"state", "retired"}}, room.retired * kSectorBytes);
                 });
  out.of_serving("dmremap_metadata_copies", Type::gauge,
                 "Copies of the metadata, by whether they hold the last commit.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   const auto& copies = report.copies;
                   family.add({{"set", set}, {"state", "good"}}, copies.good);
                   family.add({{"set", set}, {"state", "damaged"}},
                              copies.total - std::min(copies.total, copies.good));
                 });
}

void add_requests(Exposition& out) {
  out.of_serving("dmremap_requests_total", Type::counter,
                 "Requests of users since the set was started.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   family.add({{"set", set}, {"op", "read"}}, report.io.reads);
                   family.add({{"set", set}, {"op", "write"}}, report.io.writes);
                   family.add({{"set", set}, {"op", "flush"}}, report.io.flushes);
                 });
  out.of_serving("dmremap_remapped_requests_total", Type::counter,
                 "Those of them that the spare served, at least in part.",
                 [](Family& family, const std::string& set, const SetReport& report) {
                   family.add({{"set", set}, {"op", "read"}}, report.io.remapped_reads);
                   family.add({{"set", set}, {"op", "write"}}, report.io.remapped_writes);
                 });
  out.of_serving(
      "dmremap_errors_total", Type::counter,
      "Requests that a device failed, over the life of the set.",
      [](Family& family, const std::string& set, const SetReport& report) {
        family.add({{"set", set}, {"device", "main"}, {"op", "read"}}, report.main.read_errors);
        family.add({{"set", set}, {"device", "main"}, {"op", "write"}}, report.main.write_errors);
      });
}

// A counter of the history: all that it counts was counted once, on one day.
void add_counted(Exposition& out, std::string_view name, std::string_view help,
                 const std::string& count) {
  out.of_all(name, Type::counter, help,
             [&](Family& family, const std::string& set, const MeasuredSet& one) {
               if (one.history) family.add({{"set", set}}, one.history->total(count));
             });
}

void add_history(Exposition& out) {
  add_counted(out, "dmremap_remaps_total", "Sectors that were moved to the spare, ever.",
              "remapped");
  add_counted(out, "dmremap_losses_total", "Sectors that became lost, ever.", "lost");
  add_counted(out, "dmremap_recoveries_total", "Reads that succeeded when asked again, ever.",
              "recovered");
  add_counted(out, "dmremap_flush_failures_total", "Flushes that main failed, ever.",
              "flush_errors");
  add_counted(out, "dmremap_trips_total", "Times that main was not trusted any more, ever.",
              "trips");
}

using OfScrub =
    std::function<void(Family&, const std::string&, const ScrubReport&, const SetReport&)>;
Exposition::OfReport of_scrub(const OfScrub& add) {
  return [add](Family& family, const std::string& set, const SetReport& report) {
    if (report.scrub) add(family, set, *report.scrub, report);
  };
}

void add_scan(Exposition& out) {
  const auto gauge = [&](std::string_view name, std::string_view help, const OfScrub& add) {
    out.of_serving(name, Type::gauge, help, of_scrub(add));
  };
  gauge("dmremap_scan_state", "1 for the state that the scan is in.",
        [](Family& family, const std::string& set, const ScrubReport& scrub, const SetReport&) {
          family.add_one_of(set, "state", kScanStates, scrub.state);
        });
  gauge("dmremap_scan_position_ratio", "How much of its pass the scan has read.",
        [](Family& family, const std::string& set, const ScrubReport& scrub,
           const SetReport& report) {
          if (report.size_sectors == 0) return;
          family.add({{"set", set}}, static_cast<double>(scrub.scanned_sectors.value) /
                                         static_cast<double>(report.size_sectors));
        });
  gauge("dmremap_scan_last_completed_timestamp_seconds",
        "When the last pass was complete, since 1970; 0: never.",
        [](Family& family, const std::string& set, const ScrubReport& scrub, const SetReport&) {
          family.add({{"set", set}}, scrub.last_complete ? unix_seconds(*scrub.last_complete) : 0);
        });
  gauge("dmremap_scan_felt_ratio",
        "By how much the scan delays others' requests, as measured: 0.01 is 1 %.",
        [](Family& family, const std::string& set, const ScrubReport& scrub, const SetReport&) {
          if (!scrub.felt) return;
          family.add({{"set", set}, {"statistic", "mean"}}, scrub.felt->mean / 100);
          family.add({{"set", set}, {"statistic", "p99"}}, scrub.felt->p99 / 100);
        });
  out.of_serving("dmremap_scan_passes_total", Type::counter, "Passes of the scan, ever.",
                 of_scrub([](Family& family, const std::string& set, const ScrubReport& scrub,
                             const SetReport&) {
                   family.add({{"set", set}}, scrub.passes);
                 }));
  out.of_serving("dmremap_scan_found_sectors_total", Type::counter,
                 "Sectors that the scan found since the set was started.",
                 of_scrub([](Family& family, const std::string& set, const ScrubReport& scrub,
                             const SetReport&) {
                   family.add({{"set", set}, {"what", "lost"}}, scrub.found.lost);
                   family.add({{"set", set}, {"what", "recovered"}}, scrub.found.recovered);
                   family.add({{"set", set}, {"what", "slow"}}, scrub.found.slow);
                 }));
  out.of_serving("dmremap_scan_mended_slots_total", Type::counter,
                 "Metadata slots that were mended since the set was started.",
                 of_scrub([](Family& family, const std::string& set, const ScrubReport& scrub,
                             const SetReport&) {
                   family.add({{"set", set}}, scrub.found.mended_slots);
                 }));
}

void add_health(Exposition& out) {
  using OfHealth = std::function<void(Family&, const std::string&, const HealthReport&)>;
  const auto gauge = [&](std::string_view name, std::string_view help, const OfHealth& add) {
    out.of_serving(name, Type::gauge, help,
                   [&add](Family& family, const std::string& set, const SetReport& report) {
                     if (report.health) add(family, set, *report.health);
                   });
  };
  gauge("dmremap_health_verdict", "1 for the verdict on the disk.",
        [](Family& family, const std::string& set, const HealthReport& health) {
          family.add_one_of(set, "verdict", health::kVerdictNames, health.verdict);
        });
  gauge("dmremap_health_score", "From 100, a disk without trouble, down to 0.",
        [](Family& family, const std::string& set, const HealthReport& health) {
          family.add({{"set", set}}, health.score);
        });
  gauge("dmremap_health_reason", "What each reason takes from the score.",
        [](Family& family, const std::string& set, const HealthReport& health) {
          // A reason may stand there twice, for two attributes; a sample may not.
          std::map<std::string, std::uint64_t> weights;
          for (const auto& reason : health.reasons) weights[reason.code] += reason.weight;
          for (const auto& [code, weight] : weights) {
            family.add({{"set", set}, {"reason", code}}, weight);
          }
        });
  gauge("dmremap_health_observed_seconds", "For how long the set was served, ever.",
        [](Family& family, const std::string& set, const HealthReport& health) {
          family.add({{"set", set}}, health.observed_days * kDaySeconds);
        });
  gauge("dmremap_health_risk_ratio",
        "How many of such disks fail within a year, between these bounds.",
        [](Family& family, const std::string& set, const HealthReport& health) {
          const auto bound = [&](std::string_view name, std::optional<std::uint64_t> of_100) {
            if (of_100) {
              family.add({{"set", set}, {"bound", name}}, static_cast<double>(*of_100) / 100);
            }
          };
          bound("low", health.risk.low_of_100);
          bound("high", health.risk.high_of_100);
        });
  gauge(
      "dmremap_forecast_seconds", "How long the room lasts in 9 of 10 cases, between these bounds.",
      [](Family& family, const std::string& set, const HealthReport& health) {
        for (const auto& one : health.forecasts) {
          family.add({{"set", set}, {"of", one.of}, {"bound", "low"}}, one.low_days * kDaySeconds);
          if (!one.high_days) continue;
          family.add({{"set", set}, {"of", one.of}, {"bound", "high"}},
                     *one.high_days * kDaySeconds);
        }
      });
}

}  // namespace

std::string exposition(std::span<const MeasuredSet> sets, std::string_view version) {
  Exposition out(sets);
  Family info("dmremap_info", Type::gauge, "The version of dm-remap.");
  info.add({{"version", version}}, std::uint64_t{1});
  out.add(info);
  add_state(out);
  add_sectors(out);
  add_requests(out);
  add_history(out);
  add_scan(out);
  add_health(out);
  return std::move(out).text();
}

}  // namespace dmremap::metrics
