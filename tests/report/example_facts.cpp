// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/example_facts.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"

namespace dmremap::report::examples {

namespace {

using format::State;

constexpr std::uint64_t kSectors = 3'907'029'168;  // 2 TB
constexpr std::uint64_t kMadeAt = 1'795'986'000;   // 2026-11-29
constexpr std::uint64_t kDay = 86'400;

std::string time_at(std::uint64_t seconds) {
  return format_time(seconds * 1'000'000'000);
}

std::string date_ago(std::uint64_t days) {
  return time_at(kMadeAt - days * kDay).substr(0, 10);
}

ReportFacts basic() {
  ReportFacts out;
  control::SetReport& set = out.set;
  set.name = "backup";
  set.uuid = *parse_uuid("431a65fc-7484-46c4-bade-24f6ad223042");
  set.state = "healthy";
  set.conditions = {"healthy"};
  set.sequence = 412;
  set.term = 7;
  set.size_sectors = kSectors;
  set.main = {"/dev/disk/by-id/ata-WDC_WD20EARX-00PASB0_WD-WCAZAJ827116", 0, 0};
  set.spares = {{"/dev/disk/by-id/usb-SanDisk_Ultra_4C530001230616115142-0:0-part1",
                 *parse_uuid("5f0c7a1b-9d3e-4f6a-8b21-0e4d5c6b7a89"), "healthy", 122'880, 122'880,
                 0}};
  set.copies = {8, 8};
  set.run = set.uuid;
  set.pid = 3896;
  set.io = {1'204'993, 391'203, 4'410, 0, 0};
  set.exports = {{"block", "/dev/loop0", "/dev/dm-remap/backup"}};
  set.scrub = control::ScrubReport{"waiting",
                                   "quiet",
                                   {1'720'412'160},
                                   {1'719'664'640},
                                   6,
                                   time_at(kMadeAt - 4 * kDay),
                                   {0, 0, 0, 0},
                                   control::ScrubFeltReport{0.3, 0.1, 412}};
  out.running = true;
  out.disk = {.model = "WDC WD20EARX-00PASB0",
              .serial = "WD-WCAZAJ827116",
              .partitions = {{1, {{2048}, {3'907'026'944}}, "ext4 \"backup\""}}};
  out.map.size = {kSectors};
  out.made_at = time_at(kMadeAt);
  out.made_by = "dmremap 5.0.0";
  out.host = "store";
  return out;
}

control::HealthReport good_health() {
  return {100,
          "good",
          {{"nothing-seen", 0, "nothing speaks against it; days observed: 220"}},
          220.4,
          {1, 3, "Backblaze 2014 and 2025, no errors",
           "1 to 3 of 100 such disks fail within a year (Backblaze 2014 and 2025, no errors)"},
          {{"spare", 402, std::nullopt,
            "no growth seen in 90 days: spare lasts at least 402 days (90 %)"},
           {"table", 380, std::nullopt,
            "no growth seen in 90 days: table lasts at least 380 days (90 %)"}},
          control::SmartReport{"read", "", true, time_at(kMadeAt - 7'000), 7.0, 7.0, 30, ""}};
}

struct BadDay {
  std::uint64_t ago;
  std::uint64_t lost;
  std::uint64_t remapped;
  std::uint64_t recovered;
};
constexpr std::array<BadDay, 15> kBadDays{{{341, 0, 16, 0},
                                           {340, 8, 24, 1},
                                           {262, 0, 0, 2},
                                           {198, 0, 40, 0},
                                           {197, 0, 96, 3},
                                           {196, 2, 8, 0},
                                           {131, 0, 8, 1},
                                           {77, 0, 160, 0},
                                           {76, 9, 64, 4},
                                           {52, 0, 0, 1},
                                           {23, 0, 32, 2},
                                           {22, 3, 216, 6},
                                           {21, 0, 16, 1},
                                           {6, 1, 48, 2},
                                           {1, 0, 24, 5}}};

// A wobble without chance, so that the page is the same each time.
std::uint64_t wobble(std::uint64_t i, std::uint64_t most) {
  return (i * 2'654'435'761U >> 7U) % (most + 1);
}

control::HistoryReply bad_year() {
  control::HistoryReply out;
  out.today = 411;
  out.older = {{"remapped", 24}};
  out.before = {
      {"spare_used", 24}, {"table_used", 3}, {"latency_median", 8'300}, {"latency_p99", 21'000}};
  std::uint64_t spare = 24;
  std::uint64_t table = 3;
  for (std::uint64_t ago = 364; ago <= 364; --ago) {
    control::HistoryDayReport day{411 - ago, 1, date_ago(ago), {}, {}};
    const auto* const bad = std::ranges::find(kBadDays, ago, &BadDay::ago);
    if (bad != kBadDays.end()) {
      if (bad->lost > 0) day.counts["lost"] = bad->lost;
      if (bad->remapped > 0) day.counts["remapped"] = bad->remapped;
      if (bad->recovered > 0) day.counts["recovered"] = bad->recovered;
      spare += bad->remapped;
      table += 1 + bad->remapped / 16;
      day.levels = {{"spare_used", spare}, {"table_used", table}};
    }
    if (ago % 3 == 0) {
      day.levels["latency_median"] = 8'000 + wobble(ago, 900) + (ago < 40 ? 2'400 : 0);
      day.levels["latency_p99"] = 20'000 + wobble(ago + 7, 9'000) + (ago < 40 ? 60'000 : 0);
    }
    if (ago == 22) day.counts["trips"] = 1;
    if (!day.counts.empty() || !day.levels.empty()) out.days.push_back(day);
  }
  return out;
}

// Slow inside of it in one area, with a few reads that took long; what lies beyond `read` is not
// read yet.
std::vector<control::LatencyPartReport> disk_latency(std::uint64_t read, std::uint64_t typical_us,
                                                     bool slow_area) {
  constexpr std::uint64_t kParts = 96;
  std::vector<control::LatencyPartReport> out;
  for (std::uint64_t i = 0; i < kParts; ++i) {
    const Sector from{i * kSectors / kParts};
    control::LatencyPartReport part{from, Sector{(i + 1) * kSectors / kParts} - from, std::nullopt,
                                    std::nullopt};
    if (i < read && (i != 17 || !slow_area)) {
      const bool slow = slow_area && i >= 43 && i < 49;
      part.typical_us = typical_us + typical_us * i / kParts + wobble(i, typical_us / 9) +
                        (slow ? 5 * typical_us : 0);
      part.slowest_us = *part.typical_us * (2 + wobble(i + 3, 3));
      if (slow_area && (i == 8 || i == 46 || i == 88)) *part.slowest_us = 900'000 + i * 10'000;
    }
    out.push_back(part);
  }
  return out;
}

void add_extents(ReportFacts& facts) {
  auto& extents = facts.map.extents;
  const auto add = [&](State state, std::uint64_t first, std::uint64_t count) {
    if (state == State::remapped) {
      extents.emplace_back(state, SectorRange{{first}, {count}},
                           SpareAddress{kFirstSpare, {3072 + extents.size() * 512}});
    } else {
      extents.emplace_back(state, SectorRange{{first}, {count}});
    }
  };
  for (std::uint64_t i = 0; i < 24; ++i) add(State::remapped, 410'000'000 + i * 870'000, 8);
  add(State::lost, 431'204'408, 8);
  for (std::uint64_t i = 0; i < 18; ++i) add(State::remapped, 1'830'400'000 + i * 510'000, 16);
  add(State::suspect, 1'850'000'128, 8);
  add(State::lost, 1'850'402'112, 2);
  add(State::gone, 2'703'112'960, 1);
  for (std::uint64_t i = 0; i < 9; ++i) add(State::remapped, 3'300'000'000 + i * 9'000'000, 24);
  add(State::suspect, 3'580'001'024, 16);
  add(State::lost, 3'580'201'024, 12);
}

std::vector<control::EventReport> some_events() {
  std::vector<control::EventReport> out;
  std::uint64_t number = 300;
  const auto add = [&](std::uint64_t ago_s, const char* severity, const char* kind,
                       std::optional<Sector> sector, std::uint64_t count, const char* text) {
    out.push_back({++number, time_at(kMadeAt - ago_s), severity, kind, sector, {count}, text});
  };
  add(23 * kDay, "info", "start", {}, 0, "");
  for (std::uint64_t i = 0; i < 40; ++i) {
    add(22 * kDay - i * 131, "warning", "remap", Sector{1'830'400'000 + i * 8}, 8,
        "written to the spare");
  }
  add(22 * kDay - 6'000, "error", "trip", {}, 0, "main does not answer");
  add(22 * kDay - 6'042, "info", "rearm", {}, 0, "main is back");
  add(22 * kDay - 7'001, "error", "lost", Sector{1'850'402'112}, 2, "EIO");
  add(6 * kDay, "error", "lost", Sector{3'580'201'024}, 12, "EIO");
  add(6 * kDay - 60, "warning", "data-lost", {}, 0, "23 sectors are lost or gone");
  add(kDay, "info", "recovered", Sector{3'300'000'000}, 24, "read when asked again");
  return out;
}

}  // namespace

ReportFacts watched() {
  ReportFacts out = basic();
  out.set.state = "degraded";
  out.set.conditions = {"degraded", "data-lost"};
  out.set.reason = "23 sectors are lost or gone";
  out.set.needs_attention = true;
  out.set.remapped_sectors = 696;
  out.set.lost_sectors = 23;
  out.set.gone_sectors = 1;
  out.set.suspect_sectors = 24;
  out.set.main.read_errors = 61;
  out.set.main.write_errors = 118;
  out.set.spares.front().capacity_sectors = 4'096;
  out.set.spares.front().free_sectors = 3'320;
  out.set.io.remapped_reads = 2'201;
  out.set.io.remapped_writes = 776;
  out.set.scrub->found = {3, 2, 24, 0};
  out.set.health = control::HealthReport{
      63,
      "watch",
      {{"bad-growing", 25, "blocks lost or remapped: 40, on 3 of the last 30 days"},
       {"latency-drift", 10, "reads take 2.1 times as long as they used to, for 14 days"},
       {"trips", 2, "dropouts of the device: 1 in 30 days; look at cable, port and power first"},
       {"smart-errors-stable", 0, "SMART 187 is 61, and did not rise within 30 days"}},
      411.3,
      {20, 39, "Backblaze 2014, reported errors 12 to 20",
       "20 to 39 of 100 such disks fail within a year (Backblaze 2014, reported errors 12 to 20)"},
      {{"spare", 118, 940, "spare full in 118 to 940 days at this growth (90 %)"},
       {"table", 260, 2'410, "table full in 260 to 2410 days at this growth (90 %)"}},
      control::SmartReport{
          "read", "", true, time_at(kMadeAt - 7'000), 0, 7.0, 30,
          "main holds the only copy: let it try for longer than the kernel waits"}};
  out.history = bad_year();
  out.history->latency = disk_latency(91, 8'000, true);
  out.events = some_events();
  add_extents(out);
  out.set.extents = out.map.extents.size();
  return out;
}

ReportFacts failing() {
  ReportFacts out = watched();
  out.running = false;
  out.set.name = "old-photos";
  out.set.pid.reset();
  out.set.exports.clear();
  out.set.scrub.reset();
  out.set.state = "stopped";
  out.set.conditions = {"stopped", "died", "spare-full", "data-lost"};
  out.set.reason = "process 3896 is gone; no spare sector is left; 23 sectors are lost or gone";
  out.set.copies = {6, 8};
  out.set.spares.front().free_sectors = 0;
  out.set.spares.front().retired_sectors = 12;
  out.set.spares.front().state = "spare-full";
  out.set.health->verdict = "replace-now";
  out.set.health->score = 0;
  out.set.health->reasons = {
      {"spare-full", 80, "the spare is full: what goes bad now is lost"},
      {"bad-growing", 80, "blocks lost or remapped: 311, on 6 of the last 30 days"}};
  out.set.health->forecasts = {{"spare", 0, 0.0, "spare full"}};
  out.set.health->smart.reset();
  out.set.health->observed_days = 12.2;
  control::HistoryReply history;
  history.today = 12;
  std::uint64_t used = 0;
  for (std::uint64_t day = 5; day <= 12; ++day) {
    used += 512;
    history.days.push_back({day,
                            1,
                            date_ago(12 - day),
                            {{"remapped", 64 * day}, {"lost", day - 4}, {"flush_errors", day / 6}},
                            {{"spare_used", used}, {"table_used", used / 9}}});
  }
  out.history = history;
  return out;
}

ReportFacts good() {
  ReportFacts out = basic();
  out.set.health = good_health();
  control::HistoryReply history;
  history.today = 220;
  history.before = {{"spare_used", 0}, {"table_used", 0}};
  history.days.push_back(
      {3, 1, date_ago(217), {}, {{"latency_median", 130}, {"latency_p99", 410}}});
  history.latency = disk_latency(96, 120, false);
  out.history = history;
  out.events = {{1, time_at(kMadeAt - 220 * kDay), "info", "start", {}, {}, ""}};
  return out;
}

ReportFacts unknown() {
  ReportFacts out = basic();
  out.running = false;
  out.set.state = "stopped";
  out.set.conditions = {"stopped"};
  out.set.pid.reset();
  out.set.run.reset();
  out.set.exports.clear();
  out.set.scrub.reset();
  out.set.main.path.clear();
  out.host.clear();
  return out;
}

ReportFacts large() {
  ReportFacts out = watched();
  out.map.extents.clear();
  constexpr std::array kStates{State::remapped, State::lost, State::remapped, State::suspect,
                               State::gone};
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const State state = kStates[(i * 7 + i / 11) % kStates.size()];
    const SectorRange range{{i * (kSectors / 10'000)}, {8}};
    if (state == State::remapped) {
      out.map.extents.emplace_back(state, range, SpareAddress{kFirstSpare, {3072 + i * 8}});
    } else {
      out.map.extents.emplace_back(state, range);
    }
  }
  out.set.extents = out.map.extents.size();
  out.history->days.clear();
  for (std::uint64_t day = 0; day <= 411; ++day) {
    out.history->days.push_back({day,
                                 1,
                                 date_ago(411 - day),
                                 {{"lost", 1 + wobble(day, 90)},
                                  {"remapped", 1 + wobble(day + 5, 900'000)},
                                  {"recovered", 1 + wobble(day, 20)},
                                  {"slow", 2},
                                  {"flush_errors", 1},
                                  {"trips", 1}},
                                 {{"spare_used", day * 9},
                                  {"table_used", day * 25},
                                  {"latency_median", 8'000 + day},
                                  {"latency_p99", 20'000 + wobble(day, 400'000)}}});
  }
  return out;
}

ReportFacts hostile() {
  ReportFacts out = watched();
  const std::string text(kHostileText);
  control::SetReport& set = out.set;
  set.name = set.state = set.reason = set.main.path = text;
  out.disk.model = out.disk.serial = out.disk.file_system = text;
  for (auto& partition : out.disk.partitions) partition.holds = text;
  set.conditions = {text, "spare-away"};
  for (auto& spare : set.spares) spare.path = spare.state = text;
  set.exports = {{text, text, text}};
  set.scrub->state = set.scrub->waits_for = text;
  set.scrub->last_complete = text;
  control::HealthReport& health = *set.health;
  health.verdict = text;
  for (auto& reason : health.reasons) reason.code = reason.text = text;
  health.risk.source = health.risk.text = text;
  for (auto& forecast : health.forecasts) forecast.text = text;
  health.smart->state = health.smart->reason = health.smart->advice = text;
  health.smart->asked = text;
  for (auto& day : out.history->days) day.date = text;
  for (auto& event : out.events) {
    event.time = event.severity = event.kind = event.text = text;
  }
  out.made_at = out.made_by = out.host = text;
  return out;
}

namespace {

using Example = std::pair<const char*, std::function<ReportFacts()>>;
const std::array<Example, 6>& all() {
  static const std::array<Example, 6> k_all{{{"watched", watched},
                                             {"failing", failing},
                                             {"good", good},
                                             {"unknown", unknown},
                                             {"large", large},
                                             {"hostile", hostile}}};
  return k_all;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const Example& one : all()) out.emplace_back(one.first);
  return out;
}

ReportFacts by_name(const std::string& name) {
  for (const Example& one : all()) {
    if (name == one.first) return one.second();
  }
  return {};
}

}  // namespace dmremap::report::examples
