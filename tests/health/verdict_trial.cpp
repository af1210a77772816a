// SPDX-License-Identifier: GPL-2.0-or-later
#include "verdict_trial.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "disk_lives.hpp"

namespace dmremap::health::calibration {

namespace {

constexpr double kWatchedDays = 365;
constexpr double kFollowedDays = 730;
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kSpareBlocks = 4096;
constexpr double kBlockSectors = 8;
constexpr double kScanDays = 14;

double between(double low, double high, Random& random) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

bool happens(double probability, Random& random) {
  return between(0, 1, random) < probability;
}

struct Sign {
  double day = 0;
  Count what = Count::lost;
  double amount = 0;  // blocks, if `what` is `lost`
};

// A disk of the fleet, from the day its set was made.
struct FleetDisk {
  std::vector<Sign> signs;  // as they are found, in the order of time
  double fails = kNever;
};

void find(FleetDisk& disk, double day, double blocks, Random& random) {
  const double found = day + between(0, kScanDays, random);
  if (day >= 0) disk.signs.push_back({found, Count::lost, blocks});
}

void live_badly(FleetDisk& disk, Random& random) {
  const double onset = between(-180, kWatchedDays, random);
  const auto life = draw_life(Source::test, random);
  double used = 0;
  for (;;) {
    const BadArea area = life->next();
    const double day = onset + area.day;
    if (day > kFollowedDays || day > disk.fails) return;
    find(disk, day, area.sectors, random);
    used += day >= 0 ? area.sectors : 0;
    if (used > kSpareBlocks) disk.fails = std::min(disk.fails, day);
    if (disk.fails < kNever || !happens(0.03, random)) continue;
    // The beginning of the end.
    disk.fails = day + std::exponential_distribution<double>(1.0 / 20)(random);
    double decline = day;
    for (;;) {
      decline += std::exponential_distribution<double>(1.0 / 2)(random);
      if (decline > disk.fails) break;
      find(disk, decline, std::ceil(std::lognormal_distribution<double>(std::log(20), 1.5)(random)),
           random);
    }
  }
}

FleetDisk draw_disk(Random& random) {
  FleetDisk out;
  if (happens(0.05, random)) live_badly(out, random);
  if (happens(2 * 0.013, random)) {
    out.fails = std::min(out.fails, between(0, kFollowedDays, random));
  }
  if (happens(0.02, random)) find(out, between(0, kWatchedDays, random), 1, random);
  if (happens(0.05, random)) {
    out.signs.push_back({between(0, kWatchedDays, random), Count::trips, 1});
  }
  std::erase_if(out.signs, [&out](const Sign& sign) {
    return sign.day >= out.fails || sign.day >= kWatchedDays;
  });
  std::ranges::sort(out.signs, {}, &Sign::day);
  return out;
}

// The first days on which the verdict was at least as bad as each word; kNever: it never was.
using AlarmDays = std::array<double, 4>;  // by Verdict, good to replace_now

class Watcher {
 public:
  void see(const Sign& sign) {
    advance_to(sign.day);
    if (sign.what == Count::lost) {
      const double sectors = kBlockSectors * sign.amount;
      history_.count(Count::lost, static_cast<std::uint64_t>(sectors));
      used_ += sectors;
      history_.note(Level::spare_used, static_cast<std::uint64_t>(used_));
    } else {
      history_.count(sign.what);
    }
    judge(sign.day);
  }
  void judge(double day) {
    advance_to(day);
    DiskState state;
    state.sectors_per_block = static_cast<std::uint32_t>(kBlockSectors);
    state.smart_unknown_because = "not in this trial";
    const double room = kBlockSectors * kSpareBlocks - used_;
    state.spare_full = room <= 0;
    if (used_ > 0) state.spare_forecast = forecast(growth_of(history_, Level::spare_used), room);
    const Verdict verdict = assess(history_, state).verdict;
    if (verdict == Verdict::unknown) return;
    for (std::size_t i = 0; i <= static_cast<std::size_t>(verdict); ++i) {
      first[i] = std::min(first[i], day);
    }
  }

  AlarmDays first{kNever, kNever, kNever, kNever};

 private:
  void advance_to(double day) {
    const auto seconds = static_cast<std::uint64_t>(day * static_cast<double>(kDaySeconds));
    if (used_ == 0) history_.note(Level::spare_used, 0);
    history_.advance(seconds - std::min(seconds, now_s_), 20'000);
    now_s_ = std::max(now_s_, seconds);
  }

  History history_;
  std::uint64_t now_s_ = 0;
  double used_ = 0;
};

AlarmDays watch(const FleetDisk& disk) {
  Watcher watcher;
  for (std::size_t i = 0; i < disk.signs.size(); ++i) {
    watcher.see(disk.signs[i]);
    // And once a week until the next one, while it may still change anything.
    const double next =
        i + 1 < disk.signs.size() ? disk.signs[i + 1].day : std::min(kWatchedDays, disk.fails);
    const double end = std::min(next, disk.signs[i].day + kStableDays);
    for (int week = 1; disk.signs[i].day + 7 * week < end; ++week) {
      watcher.judge(disk.signs[i].day + 7 * week);
    }
  }
  return watcher.first;
}

struct Counter {
  Alarms alarms;
  std::vector<double> leads;

  void add(double alarm, double fails) {
    if (alarm == kNever) return;
    ++alarms.alarms;
    if (fails - alarm > 365) return;
    ++alarms.right;
    leads.push_back(fails - alarm);
    if (fails < kWatchedDays) ++alarms.in_time;
  }
  Alarms result() {
    std::ranges::sort(leads);
    if (!leads.empty()) {
      alarms.lead_days_quarter = leads[leads.size() / 4];
      alarms.lead_days_median = leads[leads.size() / 2];
      alarms.lead_days_three_quarters = leads[leads.size() * 3 / 4];
    }
    return alarms;
  }
};

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double Alarms::precision() const {
  return ratio(right, alarms);
}
double VerdictTrial::recall(const Alarms& alarms) const {
  return ratio(alarms.in_time, failures);
}
double VerdictTrial::recall_with_signs(const Alarms& alarms) const {
  return ratio(alarms.in_time, failures_with_signs);
}

VerdictTrial try_verdict(unsigned disks, std::uint64_t seed) {
  VerdictTrial out;
  out.disks = disks;
  std::array<Counter, 4> counters;
  for (unsigned i = 0; i < disks; ++i) {
    Random random(seed * 1'000'003 + i);
    const FleetDisk disk = draw_disk(random);
    if (disk.fails < kWatchedDays) {
      ++out.failures;
      out.failures_with_signs += std::ranges::any_of(
          disk.signs, [](const Sign& sign) { return sign.what == Count::lost; });
    }
    const AlarmDays first = watch(disk);
    for (std::size_t word = 1; word < counters.size(); ++word) {
      counters[word].add(first[word], disk.fails);
    }
  }
  out.watch = counters[static_cast<std::size_t>(Verdict::watch)].result();
  out.replace_soon = counters[static_cast<std::size_t>(Verdict::replace_soon)].result();
  out.replace_now = counters[static_cast<std::size_t>(Verdict::replace_now)].result();
  return out;
}

}  // namespace dmremap::health::calibration
