// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/verdict.hpp"

#include <algorithm>
#include <cmath>

namespace dmremap::health {

namespace {

// --- weights ---

// Disks with over 40 reallocated sectors more often fail than not, and past 200 half of them do
// within days (RAIDShield, FAST 2015); here they are those of one month.
constexpr std::uint64_t kManyBad = 40;
constexpr std::uint64_t kVeryManyBad = 200;

unsigned weight_of_growth(std::uint64_t blocks, std::uint32_t days_with) {
  if (blocks >= kVeryManyBad) return 80;
  if (blocks >= kManyBad) return 50;
  if (days_with >= 4) return 40;
  return days_with >= 2 ? 25 : 15;
}

unsigned weight_of_recovered(std::uint64_t reads, std::uint32_t days_with) {
  return reads >= 10 && days_with >= 3 ? 15 : 5;
}

unsigned weight_of_filling(const Forecast& forecast) {
  if (forecast.median_days < 30) return 80;
  if (forecast.median_days < 180) return 40;
  return forecast.low_days < 90 ? 15 : 0;
}

// --- what was seen ---

class Assessment {
 public:
  Assessment(const History& history, const DiskState& state) : history_(history), state_(state) {}

  HealthVerdict result() {
    bad_blocks();
    reads_and_writes();
    latency();
    room();
    smart();
    HealthVerdict out;
    out.risk = risk();
    const unsigned sum = own_ + declared_ + std::min(counters_, counters_most_);
    if (sum == 0) {
      // Before what is only said, too.
      reasons_.insert(reasons_.begin(), {ReasonCode::nothing_seen, 0, {history_.today()}, {}});
    }
    std::ranges::stable_sort(reasons_, std::greater<>(), &Reason::weight);
    out.reasons = std::move(reasons_);
    out.verdict = word(sum);
    if (out.verdict != Verdict::unknown) out.score = 100 - std::min(100U, sum);
    return out;
  }

 private:
  using Numbers = std::array<std::uint64_t, 3>;

  void add(ReasonCode code, unsigned weight, Numbers numbers = {}, std::string detail = {}) {
    reasons_.push_back({code, weight, numbers, std::move(detail)});
  }
  void own(ReasonCode code, unsigned weight, Numbers numbers = {}) {
    own_ += weight;
    add(code, weight, numbers);
  }
  void declared(ReasonCode code, unsigned weight, Numbers numbers = {}) {
    declared_ += weight;
    add(code, weight, numbers);
  }
  void counter(ReasonCode code, unsigned weight, Numbers numbers) {
    counters_ += weight;
    add(code, weight, numbers);
  }

  [[nodiscard]] Verdict word(unsigned sum) const {
    if (sum >= kReplaceNowFrom) return Verdict::replace_now;
    if (sum >= kReplaceSoonFrom) return Verdict::replace_soon;
    if (sum >= kWatchFrom) return Verdict::watch;
    const bool observed =
        history_.today() >= kObservedDaysLeast || state_.clean_pass_days_ago || smart_known_;
    return observed || sum > 0 ? Verdict::good : Verdict::unknown;
  }

  [[nodiscard]] std::uint64_t blocks(std::uint64_t sectors) const {
    const std::uint64_t per_block = std::max(1U, state_.sectors_per_block);
    return sectors / per_block + (sectors % per_block != 0 ? 1 : 0);
  }

  static bool is_bad(const Day& day) {
    return day.count(Count::lost) > 0 || day.count(Count::remapped) > 0;
  }

  // Sectors that main could not read or write any more, and whether more come.
  void bad_blocks() {
    std::uint64_t lately = 0;
    std::uint32_t days_with = 0;
    std::uint64_t since_last = history_.today();
    for (const Day& day : history_.days()) {
      if (!is_bad(day)) continue;
      since_last = history_.today() - day.day;
      if (since_last >= kGrowthDays) continue;
      lately += day.count(Count::lost) + day.count(Count::remapped);
      ++days_with;
    }
    ever_ = blocks(history_.total(Count::lost) + history_.total(Count::remapped));
    if (ever_ == 0) return;
    if (days_with > 0) {
      own(ReasonCode::bad_growing, weight_of_growth(blocks(lately), days_with),
          {blocks(lately), days_with, kGrowthDays});
    } else if (since_last < kStableDays) {
      own(ReasonCode::bad_recently, 10, {ever_, since_last});
    } else {
      own_stable_ = true;
      own(ReasonCode::bad_stable, 0, {ever_, since_last});
    }
    growing_ = !own_stable_;
  }

  void reads_and_writes() {
    const auto seen = [this](Count what) { return history_.recent(what, kGrowthDays); };
    if (const std::uint64_t reads = seen(Count::recovered); reads > 0) {
      const std::uint32_t days = history_.days_with(Count::recovered, kGrowthDays);
      own(ReasonCode::recovered, weight_of_recovered(reads, days), {reads, days, kGrowthDays});
    }
    if (const std::uint64_t sectors = seen(Count::slow); blocks(sectors) >= 10) {
      own(ReasonCode::slow, 5, {sectors, kGrowthDays});
    }
    if (const std::uint64_t flushes = seen(Count::flush_errors); flushes > 0) {
      own(ReasonCode::flush_errors, flushes >= 3 ? 45 : 20, {flushes, kGrowthDays});
    }
    // A cable or a port can do this too: alone it is never a reason to replace the disk.
    if (const std::uint64_t trips = seen(Count::trips); trips > 0) {
      own(ReasonCode::trips, trips >= 3 ? 15 : 5, {trips, kGrowthDays});
    }
  }

  // The last two weeks against the disk's own past, of which at least two weeks must be known.
  [[nodiscard]] double drift(Level level) const {
    constexpr std::uint32_t kRecentDays = 14;
    auto recent = history_.levels_between(level, 0, kRecentDays);
    auto past = history_.levels_between(level, kGrowthDays, kHistoryDays);
    if (recent.size() < kRecentDays || past.size() < kRecentDays) return 1;
    const auto middle = [](std::vector<std::uint64_t>& codes) {
      std::ranges::sort(codes);
      return latency_us(codes[codes.size() / 2]);
    };
    return middle(recent) / middle(past);
  }

  // Disks with shingled tracks are slow at times without being ill, so this alone is never more
  // than a reason to watch.
  void latency() {
    const double factor = std::max(drift(Level::latency_median), drift(Level::latency_p99));
    if (factor < 2) return;
    own(ReasonCode::latency_drift, factor >= 4 ? 20 : 10,
        {static_cast<std::uint64_t>(std::lround(10 * factor)), 14});
  }

  void room() {
    if (state_.spare_full) own(ReasonCode::spare_full, growing_ ? 80 : 40, {growing_});
    if (state_.table_full) own(ReasonCode::table_full, growing_ ? 80 : 40, {growing_});
    const auto filling = [this](const std::optional<Forecast>& it, ReasonCode code, bool full) {
      if (full || !it || !it->growth_seen || !it->high_days || !growing_) return;
      const unsigned weight = weight_of_filling(*it);
      if (weight == 0) return;
      own(code, weight, {days(it->low_days), days(it->median_days), days(*it->high_days)});
    };
    filling(state_.spare_forecast, ReasonCode::spare_filling, state_.spare_full);
    filling(state_.table_forecast, ReasonCode::table_filling, state_.table_full);
  }

  static std::uint64_t days(double value) {
    return static_cast<std::uint64_t>(std::clamp(value, 0.0, 1e9));
  }

  void smart() {
    if (!state_.smart) {
      add(ReasonCode::smart_unknown, 0, {}, state_.smart_unknown_because);
      return;
    }
    if (state_.smart_age_days > kGrowthDays) {
      add(ReasonCode::smart_old, 0, {state_.smart_age_days});
      return;
    }
    smart_known_ = true;
    error_counter(Level::pending, state_.smart->pending, 197);
    error_counter(Level::reported, state_.smart->reported, 187);
    error_counter(Level::offline, state_.smart->offline, 198);
    if (state_.smart->reallocated) {
      const LevelGrowth growth = history_.growth(Level::reallocated, kGrowthDays);
      if (growth.risen > 0) {
        smart_stable_ = false;
        counter(ReasonCode::smart_reallocated_grew, growth.risen >= kManyBad ? 25 : 10,
                {growth.risen, *state_.smart->reallocated});
      } else if (!growth.before && *state_.smart->reallocated > 0) {
        smart_stable_ = false;
      }
    }
    nvme(*state_.smart);
    // An NVMe device has failed its own test whenever a warning is set, which counted already.
    if (state_.smart->passed == false && !state_.smart->critical_warning) {
      declared(ReasonCode::smart_failing, 40);
    }
    // What we read ourselves outranks what the drive counts.
    counters_most_ = kSmartCountersMost;
    if (!growing_ && state_.clean_pass_days_ago && *state_.clean_pass_days_ago < kGrowthDays) {
      counters_most_ = kSmartCountersMostIfRead;
      if (counters_ > counters_most_) {
        add(ReasonCode::own_reads_outrank, 0, {*state_.clean_pass_days_ago});
      }
    }
  }

  // 197 counts what cannot be read now, 187 what could not be, 198 what tests of the drive's own
  // found. The same bad block raises all three: only the first that grew has a weight.
  void error_counter(Level level, std::optional<std::uint64_t> now, std::uint64_t attribute) {
    if (!now || *now == 0) return;
    const LevelGrowth growth = history_.growth(level, kGrowthDays);
    if (growth.risen > 0) {
      smart_stable_ = false;
      const unsigned weight = growth.risen >= 10 ? 25 : 15;
      counter(ReasonCode::smart_errors_grew, errors_counted_ ? 0 : weight,
              {attribute, growth.risen, *now});
      errors_counted_ = true;
    } else if (!growth.before) {
      smart_stable_ = false;
      counter(ReasonCode::smart_errors_new, errors_counted_ ? 0 : 15, {attribute, *now});
      errors_counted_ = true;
    } else {
      counter(ReasonCode::smart_errors_stable, 0, {attribute, *now});
    }
  }

  void nvme(const SmartReading& it) {
    const std::uint64_t warning = it.critical_warning.value_or(0);
    if ((warning & CriticalWarning::kReadOnly) != 0) declared(ReasonCode::nvme_read_only, 80);
    if ((warning & CriticalWarning::kUnreliable) != 0) declared(ReasonCode::nvme_unreliable, 60);
    const bool low = it.available_spare && it.available_spare_threshold &&
                     *it.available_spare < *it.available_spare_threshold;
    if (low || (warning & CriticalWarning::kSpareLow) != 0) {
      declared(ReasonCode::nvme_spare_low, 45,
               {it.available_spare.value_or(0), it.available_spare_threshold.value_or(0)});
    }
    if ((warning & CriticalWarning::kBackupFailed) != 0) {
      declared(ReasonCode::nvme_backup_failed, 15);
    }
    if ((warning & CriticalWarning::kTemperature) != 0) declared(ReasonCode::nvme_hot, 5);
    if (it.media_errors) {
      const LevelGrowth growth = history_.growth(Level::media_errors, kGrowthDays);
      if (growth.risen > 0) {
        counter(ReasonCode::nvme_media_errors, 20, {growth.risen, *it.media_errors});
      }
    }
    if (it.percentage_used.value_or(0) >= 100) {
      declared(ReasonCode::nvme_worn, 10, {*it.percentage_used});
    }
  }

  [[nodiscard]] Risk risk() const {
    RiskFacts facts;
    facts.medium = state_.medium;
    facts.own_unreadable = ever_;
    facts.own_stable = own_stable_;
    facts.smart_known = smart_known_;
    facts.smart_stable = smart_stable_;
    if (smart_known_) {
      facts.reallocated = state_.smart->reallocated;
      facts.reported = state_.smart->reported;
      facts.pending = state_.smart->pending;
      facts.offline = state_.smart->offline;
    }
    return risk_of(facts);
  }

  const History& history_;
  const DiskState& state_;
  std::vector<Reason> reasons_;
  unsigned own_ = 0;       // weights of what we saw ourselves
  unsigned declared_ = 0;  // of what the drive says of its state
  unsigned counters_ = 0;  // of what the drive counts
  unsigned counters_most_ = 0;
  std::uint64_t ever_ = 0;  // bad blocks
  bool growing_ = false;
  bool own_stable_ = false;
  bool smart_known_ = false;
  bool smart_stable_ = true;
  bool errors_counted_ = false;
};

}  // namespace

void note_smart(History& history, const SmartReading& reading) {
  const auto note = [&history](Level level, const std::optional<std::uint64_t>& value) {
    if (value) history.note(level, *value);
  };
  note(Level::reallocated, reading.reallocated);
  note(Level::reported, reading.reported);
  note(Level::pending, reading.pending);
  note(Level::offline, reading.offline);
  note(Level::media_errors, reading.media_errors);
  note(Level::percentage_used, reading.percentage_used);
  note(Level::available_spare, reading.available_spare);
}

HealthVerdict assess(const History& history, const DiskState& state) {
  return Assessment(history, state).result();
}

}  // namespace dmremap::health
