// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/disk_health.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "base/units.hpp"
#include "health/recovery_times.hpp"

namespace dmremap::set {

namespace {

using health::Count;
using health::History;
using health::Level;
using health::Medium;

constexpr std::uint64_t kDayNs = health::kDaySeconds * kSecondNs;
constexpr std::chrono::seconds kLookEvery{5};
// Without news: how much of the observed time a crash may take away.
constexpr std::uint64_t kRememberEveryNs = kDayNs / 4;

std::uint64_t in_ns(std::chrono::seconds time) {
  return static_cast<std::uint64_t>(time.count()) * kSecondNs;
}

std::uint32_t wall_day(Clock& clock) {
  return static_cast<std::uint32_t>(clock.wall_ns() / kDayNs);
}

std::uint64_t spare_used(const remap::TableCounts& table) {
  return table.spare_capacity - std::min(table.spare_capacity, table.spare_free);
}

// What a text of the metadata may hold; whatever else a drive calls its serial number says nothing.
std::string storable(const std::string& serial) {
  const bool plain = std::ranges::all_of(serial, [](char c) { return c >= ' ' && c <= '~'; });
  return plain ? serial.substr(0, format::kDriveSerialBytes) : std::string();
}

// A drive that sleeps or does not answer has not become another one.
bool says_nothing(health::SmartState state) {
  return state == health::SmartState::asleep || state == health::SmartState::no_answer;
}

// A forecast of growth by its history, for the room that is left.
health::Forecast forecast_of(const History& history, Level what, std::uint64_t room) {
  return health::forecast(health::growth_of(history, what), static_cast<double>(room));
}

std::uint64_t table_room(const remap::TableCounts& table) {
  return table.entry_capacity - std::min(table.entry_capacity, table.entries);
}

std::optional<double> seconds_of(const std::optional<health::ErrorRecovery>& recovery) {
  if (!recovery) return std::nullopt;
  return recovery->enabled ? recovery->tenths_of_second / 10.0 : 0.0;
}

// Days of running since one that is counted from 1; empty for 0.
std::optional<std::uint32_t> days_since(std::uint32_t day, std::uint32_t today) {
  if (day == 0) return std::nullopt;
  return today + 1 - std::min(today + 1, day);
}

History history_of(const std::optional<format::DiskHistorySection>& stored) {
  if (!stored) return {};
  return health::unpack_history(stored->history).value_or(History());
}

Medium medium_of(const format::Fingerprint& main) {
  return main.kind == format::DeviceKind::image ? Medium::image : Medium::unknown;
}

// The verdict by the history and the room that is left. `state` has what else is known, and gets
// the rest.
HealthStatus judged(const History& history, const remap::TableCounts& table,
                    std::uint32_t clean_pass_day, HealthStatus out, health::DiskState state) {
  state.clean_pass_days_ago = days_since(clean_pass_day, history.today());
  state.spare_full = table.spare_free == 0;
  state.table_full = table_room(table) == 0;
  state.spare_forecast = out.spare;
  state.table_forecast = out.table;
  out.verdict = health::assess(history, state);
  out.observed_days = history.observed_days();
  return out;
}

}  // namespace

HealthStatus health_of_stopped(const format::DiskHistorySection& stored,
                               const remap::TableCounts& table, const format::Fingerprint& main) {
  const History history = history_of(stored);
  HealthStatus out;
  out.spare = forecast_of(history, Level::spare_used, table.spare_free);
  out.table = forecast_of(history, Level::table_used, table_room(table));
  health::DiskState state;
  state.medium = medium_of(main);
  state.sectors_per_block = std::max<std::uint32_t>(
      1, main.physical_block_bytes / static_cast<std::uint32_t>(kSectorBytes));
  state.smart_unknown_because = "the set does not run";
  return judged(history, table, stored.clean_pass_day, std::move(out), std::move(state));
}

DiskHealth::DiskHealth(Parts parts)
    : parts_(std::move(parts)),
      history_(history_of(parts_.stored)),
      counted_at_ns_(parts_.clock->monotonic_ns()),
      began_ns_(counted_at_ns_),
      remembered_at_ns_(counted_at_ns_),
      thread_(system_scheduling(), kLookEvery, PeriodicThread::First::after_interval) {
  if (!parts_.stored) return;
  never_ask_ = parts_.stored->never_ask_drive;
  answered_s_ = parts_.stored->drive_answered_s;
  clean_pass_day_ = parts_.stored->clean_pass_day;
  serial_ = parts_.stored->drive_serial;
}

DiskHealth::~DiskHealth() {
  stop();
}

void DiskHealth::start() {
  // What need not be asked of a drive is known from the start. Forecasts take milliseconds, in
  // which nothing would be served yet: they are made when they are asked for, or at the first look.
  count_and_ask();
  thread_.start("health", [this] {
    if (parts_.before_look) parts_.before_look([this] { return !stopping_; });
    look();
  });
}

void DiskHealth::stop() {
  stopping_ = true;
  thread_.stop();
}

void DiskHealth::go_on() {
  if (!stopping_.exchange(false)) return;
  {
    const std::lock_guard lock(mutex_);
    if (drive_is_set_) asked_at_ns_.reset();
  }
  thread_.go_on();
}

void DiskHealth::count_and_ask() {
  {
    const std::lock_guard lock(mutex_);
    count_what_happened();
  }
  ask_drive();
}

void DiskHealth::look() {
  count_and_ask();
  {
    const std::lock_guard lock(mutex_);
    make_forecasts();
  }
  remember_at_times();
}

void DiskHealth::count_what_happened() {
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  rest_ns_ += now_ns - std::exchange(counted_at_ns_, now_ns);
  history_.advance(rest_ns_ / kSecondNs, wall_day(*parts_.clock));
  rest_ns_ %= kSecondNs;
  const remap::TroubleCounts now = parts_.engine->trouble();
  const auto count = [&](Count what, std::uint64_t remap::TroubleCounts::*of) {
    if (now.*of == counted_.*of) return;
    history_.count(what, now.*of - counted_.*of);
    news_ = true;
  };
  count(Count::lost, &remap::TroubleCounts::lost);
  count(Count::remapped, &remap::TroubleCounts::remapped);
  count(Count::recovered, &remap::TroubleCounts::recovered);
  count(Count::slow, &remap::TroubleCounts::slow);
  count(Count::flush_errors, &remap::TroubleCounts::flush_errors);
  count(Count::trips, &remap::TroubleCounts::trips);
  counted_ = now;
  note_levels();
  if (parts_.scanner) note_scanner(parts_.scanner());
}

void DiskHealth::note_levels() {
  const remap::TableCounts table = parts_.engine->table_counts();
  history_.note(Level::spare_used, spare_used(table));
  history_.note(Level::table_used, table.entries);
}

void DiskHealth::note_scanner(const ScannerStatus& scanner) {
  if (scanner.clean_passes != std::exchange(clean_passes_, scanner.clean_passes)) {
    clean_pass_day_ = history_.today() + 1;
    news_ = true;
  }
  if (!scanner.latency) return;
  history_.note(Level::latency_median, health::latency_code(scanner.latency->median_us));
  history_.note(Level::latency_p99, health::latency_code(scanner.latency->p99_us));
}

void DiskHealth::make_forecasts() {
  const remap::TableCounts table = parts_.engine->table_counts();
  const ForecastBasis basis{history_.today(), spare_used(table), table.entries};
  if (forecast_basis_ == basis) return;
  forecast_basis_ = basis;
  spare_forecast_ = forecast_of(history_, Level::spare_used, table.spare_free);
  table_forecast_ = forecast_of(history_, Level::table_used, table_room(table));
}

void DiskHealth::ask_drive() {
  std::string serial;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t now_ns = parts_.clock->monotonic_ns();
    // A drive that came back may have lost power, and with it what it was set to. One that was set
    // to nothing is left in peace.
    const bool is_back =
        drive_is_set_ && counted_.trips != trips_asked_ && !parts_.engine->conditions().tripped;
    const bool time = asked_at_ns_ ? is_back || now_ns - *asked_at_ns_ >= kDayNs
                                   : now_ns - began_ns_ >= in_ns(parts_.first_ask);
    if (!parts_.ask || stopping_ || !time) return;
    if (never_ask_) {
      smart_.reason = "the bridge before the drive was reset when it was asked";
      return;
    }
    serial = serial_;
    trips_asked_ = counted_.trips;
  }
  const bool away_before = parts_.engine->conditions().tripped;
  const DriveAnswer answer = parts_.ask(serial, [this] { return !stopping_; });
  if (stopping_) return;
  std::optional<DriveTimeouts::Report> set_to;
  if (answer.believed && parts_.on_answer) set_to = parts_.on_answer(answer);
  take_answer(answer, set_to, !away_before && parts_.engine->conditions().tripped);
}

void DiskHealth::take_answer(const DriveAnswer& answer,
                             const std::optional<DriveTimeouts::Report>& set_to,
                             bool main_went_away) {
  const bool look = answer.believed && !answer.defects.empty() && parts_.look_at;
  if (look) parts_.look_at(answer.defects);
  const std::lock_guard lock(mutex_);
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  asked_at_ns_ = now_ns;
  medium_ = answer.place.medium;
  smart_.state = health::name_of(answer.reading.state);
  smart_.reason = answer.reason;
  smart_.believed = answer.believed;
  smart_.asked_s = parts_.clock->wall_ns() / kSecondNs;
  smart_.kernel_timeout_s = answer.place.kernel_timeout_s;
  smart_.read_recovery_s.reset();
  smart_.write_recovery_s.reset();
  smart_.advice.clear();
  if (!says_nothing(answer.reading.state)) reading_.reset();
  if (answer.believed) {
    drive_is_set_ = set_to.has_value();
    smart_.read_recovery_s = seconds_of(answer.reading.read_recovery);
    smart_.write_recovery_s = seconds_of(answer.reading.write_recovery);
    smart_.advice =
        health::recovery_advice(answer.reading, answer.place.kernel_timeout_s, answer.place.node);
    if (set_to) {
      smart_.read_recovery_s = seconds_of(set_to->times.read);
      smart_.kernel_timeout_s = set_to->times.kernel_timeout_s;
      smart_.advice = set_to->text;
    }
    reading_ = answer.reading;
    reading_at_ns_ = now_ns;
    serial_ = storable(answer.reading.serial);
    answered_s_ = smart_.asked_s;
    health::note_smart(history_, answer.reading);
    news_ = true;
  }
  if (main_went_away && answer.place.behind_usb) {
    never_ask_ = true;
    news_ = true;
    log(Severity::warning, "main went away when smartctl asked it: it is not asked again");
  }
}

HealthStatus DiskHealth::status() {
  const std::lock_guard lock(mutex_);
  count_what_happened();
  make_forecasts();
  health::DiskState state;
  state.medium = medium_;
  state.sectors_per_block = parts_.sectors_per_block;
  state.smart = reading_;
  state.smart_age_days =
      static_cast<std::uint32_t>((parts_.clock->monotonic_ns() - reading_at_ns_) / kDayNs);
  state.smart_unknown_because = smart_.reason.empty() ? "not asked yet" : smart_.reason;
  HealthStatus out;
  out.spare = spare_forecast_;
  out.table = table_forecast_;
  out.smart = smart_;
  return judged(history_, parts_.engine->table_counts(), clean_pass_day_, std::move(out),
                std::move(state));
}

History DiskHealth::history() const {
  const std::lock_guard lock(mutex_);
  return history_;
}

format::DiskHistorySection DiskHealth::packed() const {
  return {never_ask_, answered_s_, clean_pass_day_, serial_, health::pack_history(history_)};
}

format::DiskHistorySection DiskHealth::memory() {
  const std::lock_guard lock(mutex_);
  count_what_happened();
  return packed();
}

std::optional<format::DiskHistorySection> DiskHealth::memory_for_commit() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || !news_) return std::nullopt;
  // It is a block more in each copy, so it does not go with every commit.
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  if (now_ns - remembered_at_ns_ < in_ns(parts_.remember_every) / 2) return std::nullopt;
  // If that commit fails, a crash takes away what it would have had.
  news_ = false;
  remembered_at_ns_ = now_ns;
  return packed();
}

void DiskHealth::remember_at_times() {
  format::DiskHistorySection now;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t now_ns = parts_.clock->monotonic_ns();
    const std::uint64_t since_ns = now_ns - remembered_at_ns_;
    const bool due = since_ns >= (news_ ? in_ns(parts_.remember_every) : kRememberEveryNs);
    if (!parts_.remember || stopping_ || !due) return;
    news_ = false;
    remembered_at_ns_ = now_ns;
    now = packed();
  }
  // A crash before this takes the counts of the last minute away, and nothing else.
  (void)parts_.remember(now);
}

}  // namespace dmremap::set
