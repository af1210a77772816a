// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/scanner.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

#include <sys/syscall.h>

#include "base/thread_name.hpp"
#include "base/units.hpp"
#include "remap/task/slowness.hpp"

namespace dmremap::set {

namespace {

using health::PaceHold;

// The longest wait between two looks: the order wants to be told the time once a minute.
constexpr std::uint64_t kLongestWaitNs = 20 * kSecondNs;
// After a read that could not be carried through.
constexpr std::uint64_t kRetryNs = kSecondNs;
// From a long read to its measurement, so that the drive does not answer from its cache.
constexpr std::uint64_t kMeasureAfterNs = 10 * kSecondNs;
// Where reads take so long as a rule, the disk as a whole is slow, and no place is measured.
constexpr std::uint64_t kUsualReadMostNs = 50'000'000;
constexpr std::uint64_t kLongReadNs = 400'000'000;
// Without a read for so long no copy is being made any more.
constexpr std::uint64_t kCopyQuietNs = 60 * kSecondNs;
// Reads may be other users' than the copy's, so it holds the scan for no longer than this.
constexpr std::uint64_t kCopyLongestNs = 86'400 * kSecondNs;

// linux/ioprio.h, which not every kernel's headers have.
constexpr int kIoprioProcess = 1;
constexpr int kIoprioLowest = (2 << 13) | 7;  // best effort, the last of its levels

unsigned minute_of_day(std::uint64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / kSecondNs);
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return 0;
  return static_cast<unsigned>(local.tm_hour * 60 + local.tm_min);
}

const char* word_of(PaceHold hold) {
  switch (hold) {
    case PaceHold::tripped:
      return "main";
    case PaceHold::suspended:
      return "metadata";
    case PaceHold::copying:
      return "copy";
    case PaceHold::on_battery:
      return "battery";
    default:
      return "";
  }
}

// For a median and a 99th percentile that mean something.
constexpr std::uint64_t kLatenciesLeast = 200;
// How often the kernel is asked whether the machine runs on a battery.
constexpr std::uint64_t kPowerLookEveryNs = 20 * kSecondNs;

health::PacePolicy policy_of(const std::optional<format::ScanSection>& stored) {
  if (!stored) return {};
  return {{stored->window_from, stored->window_to}, stored->rate};
}

health::ScanRecord record_of(const std::optional<format::ScanSection>& stored, SectorCount size) {
  if (!stored) return health::decode_scan_record({}, size);
  return health::decode_scan_record(stored->record, size);
}

health::LatencyProfile profile_of(const std::optional<format::LatencySection>& stored,
                                  SectorCount size) {
  if (!stored) return health::LatencyProfile(size);
  return health::unpack_latency_profile(stored->profile, size);
}

}  // namespace

Scanner::Scanner(Parts parts)
    : parts_(std::move(parts)),
      paused_(parts_.stored && parts_.stored->paused),
      rest_until_ns_(parts_.clock->monotonic_ns() +
                     static_cast<std::uint64_t>(parts_.first_rest.count()) * kSecondNs),
      policy_(policy_of(parts_.stored)),
      order_(record_of(parts_.stored, parts_.size)),
      pace_(policy_, parts_.clock->monotonic_ns()),
      load_(*parts_.engine, parts_.main_path),
      felt_(*parts_.engine, *parts_.random),
      latency_profile_(profile_of(parts_.stored_latency, parts_.size)) {
  order_.advance(parts_.clock->monotonic_ns(), parts_.clock->wall_ns());
  remembered_at_ns_ = parts_.clock->monotonic_ns();
  passes_remembered_ = order_.passes();
  tell_passes();
  take_up(record_of(parts_.stored, parts_.size).wish);
  if (paused_) set_state("paused");
  thread_ = std::thread([this] { loop(); });
}

void Scanner::take_up(health::PassWish wish) {
  if (wish == health::PassWish::none) return;
  asked_for_ = true;
  at_full_speed_ = wish == health::PassWish::full_speed;
  rest_until_ns_ = 0;
  // Who asks next must not be told that nothing is to be done.
  set_state("running");
}

Scanner::~Scanner() {
  stop();
}

void Scanner::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scanner::go_on() {
  if (thread_.joinable()) return;
  stopping_ = false;
  thread_ = std::thread([this] { loop(); });
}

Result<void> Scanner::start(const ScanWish& wish) {
  {
    const std::lock_guard lock(mutex_);
    if (wish.rate) policy_.rate = *wish.rate;
    if (wish.window) policy_.window = *wish.window;
    pace_.set_policy(policy_);
    if (!order_.progress().pass_running) order_.begin_pass();
    paused_ = false;
    ended_ = false;
    next_read_ns_ = 0;
    take_up(wish.now ? health::PassWish::full_speed : health::PassWish::paced);
    changed_ = true;
  }
  wake_.notify_all();
  return remember();
}

Result<void> Scanner::pause() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = true;
    set_state("paused");
    changed_ = true;
  }
  wake_.notify_all();
  return remember();
}

Result<void> Scanner::resume() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(paused_, false)) return {};
    set_state("waiting");
    changed_ = true;
  }
  wake_.notify_all();
  return remember();
}

Result<void> Scanner::end() {
  bool was_asked_for = false;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    at_full_speed_ = false;
    was_asked_for = std::exchange(asked_for_, false);
    set_state("idle");
    changed_ = true;
  }
  wake_.notify_all();
  return was_asked_for ? remember() : Result<void>();
}

void Scanner::look_at(std::span<const SectorRange> places) {
  const std::lock_guard lock(mutex_);
  for (const SectorRange& place : places) order_.look_at(place);
  changed_ = true;
  wake_.notify_all();
}

void Scanner::note_copy(bool running) {
  const std::uint64_t reads = parts_.engine->counts().reads;
  const std::lock_guard lock(mutex_);
  copy_began_ns_ = parts_.clock->monotonic_ns();
  copy_seen_ns_ = running ? copy_began_ns_ : 0;
  copy_reads_ = reads;
}

std::optional<health::Foreground> Scanner::others() {
  const std::lock_guard lock(mutex_);
  if (load_.has_own()) return std::nullopt;
  return load_.sample();
}

ScannerStatus Scanner::status() const {
  const std::lock_guard lock(mutex_);
  ScannerStatus out = status_;
  out.scanned = order_.progress().scanned;
  if (latencies_.count() >= kLatenciesLeast) {
    out.latency = {latencies_.quantile_ns(0.5) / 1e3, latencies_.quantile_ns(0.99) / 1e3};
  }
  out.felt = felt_.report();
  return out;
}

health::LatencyProfile Scanner::latency_profile() const {
  const std::lock_guard lock(mutex_);
  return latency_profile_;
}

void Scanner::set_state(const char* state, std::string waits_for) {
  status_.state = state;
  status_.waits_for = std::move(waits_for);
}

PaceHold Scanner::hold(std::uint64_t now_ns) {
  if (copy_seen_ns_ != 0) {
    const std::uint64_t reads = parts_.engine->counts().reads;
    if (std::exchange(copy_reads_, reads) != reads) copy_seen_ns_ = now_ns;
    const bool lasts = now_ns < copy_began_ns_ + kCopyLongestNs;
    if (lasts && now_ns < copy_seen_ns_ + kCopyQuietNs) return PaceHold::copying;
    copy_seen_ns_ = 0;
  }
  const remap::Conditions conditions = parts_.engine->conditions();
  if (conditions.tripped) return PaceHold::tripped;
  // What is found must be recorded, or the same bad places would be asked again and again.
  const bool records = !conditions.read_only && conditions.spare == remap::SpareState::answers;
  if (!records) return PaceHold::suspended;
  // Who asks for a pass now knows what his battery bears.
  return !at_full_speed_ && is_on_battery(now_ns) ? PaceHold::on_battery : PaceHold::none;
}

bool Scanner::is_on_battery(std::uint64_t now_ns) {
  if (now_ns >= power_look_ns_) {
    on_battery_ = parts_.on_battery();
    power_look_ns_ = now_ns + kPowerLookEveryNs;
  }
  return on_battery_;
}

void Scanner::loop() {
  name_this_thread("scanner");
  // Without it the scan is paced all the same.
  (void)::syscall(SYS_ioprio_set, kIoprioProcess, 0, kIoprioLowest);
  Lock lock(mutex_);
  while (!stopping_) {
    const std::chrono::nanoseconds wait(
        std::min({step(lock), kLongestWaitNs, felt_.longest_wait_ns()}));
    remember_at_times(lock);
    wake_.wait_for(lock, wait, [this] { return stopping_ || std::exchange(changed_, false); });
  }
}

std::uint64_t Scanner::wait_ns(std::uint64_t now_ns, PaceHold held, SectorCount& most) {
  health::PaceMoment moment;
  moment.now_ns = now_ns;
  moment.foreground = load_.sample();
  moment.minute_of_day = minute_of_day(parts_.clock->wall_ns());
  moment.overdue = order_.overdue();
  moment.hold = held;
  const health::PaceDecision decision = pace_.ask(moment);
  if (moment.hold != PaceHold::none) {
    set_state("waiting", word_of(moment.hold));
    return kSecondNs;
  }
  if (at_full_speed_) {
    set_state("running");
    most = health::kScanSegment;
    return now_ns < next_read_ns_ ? next_read_ns_ - now_ns : 0;
  }
  if (decision.read) {
    set_state("running");
    most = decision.most;
    return 0;
  }
  // A gap between two reads is part of the scan.
  if (decision.why == health::PaceWait::gap || decision.why == health::PaceWait::rate) {
    set_state("running");
  } else {
    set_state("waiting", std::string(health::name_of(decision.why)));
  }
  return std::max<std::uint64_t>(1, decision.until_ns - std::min(decision.until_ns, now_ns));
}

std::optional<std::uint64_t> Scanner::rest_ns(std::uint64_t now_ns) {
  if (paused_ || ended_ || now_ns < rest_until_ns_) {
    set_state(paused_ ? "paused" : "idle");
    return paused_ || ended_ ? kLongestWaitNs : rest_until_ns_ - now_ns;
  }
  if (to_measure_.empty() && !order_.next()) {
    at_full_speed_ = false;
    set_state("idle");
    return kLongestWaitNs;
  }
  return std::nullopt;
}

bool Scanner::is_let(std::uint64_t now_ns, PaceHold held) {
  const bool may_measure = !at_full_speed_ && held == PaceHold::none &&
                           policy_.window.contains(minute_of_day(parts_.clock->wall_ns()));
  felt_.advance(now_ns, may_measure);
  pace_.set_slowdown(felt_.slowdown());
  return felt_.may_scan();
}

std::uint64_t Scanner::step(Lock& lock) {
  const std::uint64_t now_ns = parts_.clock->monotonic_ns();
  order_.advance(now_ns, parts_.clock->wall_ns());
  if (const auto rest = rest_ns(now_ns)) {
    felt_.advance(now_ns, false);
    return *rest;
  }
  const PaceHold held = hold(now_ns);
  if (!is_let(now_ns, held)) {
    // To rest for a measurement is part of the scan.
    if (status_.state == std::string_view("idle")) set_state("running");
    return FeltMeter::kStepNs;
  }
  if (!to_measure_.empty()) {
    set_state("running");
    return now_ns < measure_at_ns_ ? measure_at_ns_ - now_ns : measure(lock);
  }
  SectorCount most = health::kScanPiece;
  if (const std::uint64_t wait = wait_ns(now_ns, held, most); wait != 0) return wait;
  if (metadata_is_due()) return check_metadata(lock);
  const auto piece = order_.next(most);
  return piece ? read(lock, *piece, now_ns) : kRetryNs;
}

std::uint64_t Scanner::read(Lock& lock, const health::ScanPiece& piece, std::uint64_t now_ns) {
  status_.position = piece.sectors.first;
  const std::uint64_t bytes = piece.sectors.count.bytes();
  pace_.begun(now_ns, load_.sample());
  load_.begin_own();
  lock.unlock();
  const auto report = parts_.engine->scan(piece.sectors, [this] { return !stopping_; });
  lock.lock();
  const std::uint64_t end_ns = parts_.clock->monotonic_ns();
  const std::uint64_t took_ns = end_ns - now_ns;
  const bool known = report && report->complete && !report->trouble;
  load_.end_own(known ? std::optional(report->main_reads) : std::nullopt, bytes, took_ns);
  pace_.finished(end_ns, load_.sample(), bytes);
  if (policy_.rate != 0) {
    const double spacing = static_cast<double>(bytes) * 1e9 / static_cast<double>(policy_.rate);
    next_read_ns_ = now_ns + static_cast<std::uint64_t>(spacing);
  }
  if (!report || !report->complete) return kRetryNs;
  status_.found.lost += report->lost.value;
  status_.found.recovered += report->recovered.value;
  note_latency(piece.sectors, *report, took_ns);
  const std::uint64_t usual_ns = usual_read_ns_;
  usual_read_ns_ = (usual_ns * 15 + std::min(took_ns, kLongReadNs)) / 16;
  if (!report->long_reads.empty() && !report->trouble && usual_ns < kUsualReadMostNs) {
    to_measure_ = report->long_reads;
    measure_at_ns_ = end_ns + kMeasureAfterNs;
    return kMeasureAfterNs;
  }
  if (piece.sectors.count == health::kScanPiece && !report->trouble) latencies_.add(took_ns);
  finish_piece(report->trouble ? health::ScanResult::trouble : health::ScanResult::good);
  // The next look follows at once, and waits if it must.
  return 0;
}

void Scanner::note_latency(SectorRange read, const remap::ScanReport& report,
                           std::uint64_t took_ns) {
  // In several parts it was not one request, or not of main alone. What took long and is not called
  // so by the engine was held up by a pause of the process, or by another request's retries.
  const bool held_up = took_ns >= remap::kSlowReadNs && report.long_reads.empty();
  if (report.trouble || report.main_reads != 1 || held_up) return;
  latency_profile_.add(read, static_cast<double>(took_ns) / 1e3);
}

void Scanner::finish_piece(health::ScanResult result) {
  const std::uint64_t passes = order_.passes();
  order_.finished(result);
  read_unremembered_ = true;
  if (order_.passes() == passes) return;
  asked_for_ = false;
  if (order_.pass_is_clean()) ++status_.clean_passes;
  // What is old counts half: a drift shows within some passes.
  latencies_.halve();
  latency_profile_.end_pass();
}

bool Scanner::metadata_is_due() {
  if (!order_.progress().pass_running) return false;
  const std::uint64_t pass = order_.passes();
  if (metadata_pass_ != pass) {
    metadata_pass_ = pass;
    next_copy_ = 0;
  }
  return next_copy_ < format::kCopies;
}

std::uint64_t Scanner::check_metadata(Lock& lock) {
  const unsigned copy = next_copy_;
  lock.unlock();
  const std::uint64_t begun_ns = parts_.clock->monotonic_ns();
  const auto checked = parts_.engine->check_metadata(copy);
  Result<unsigned> mended = 0U;
  if (checked && copy + 1 == format::kCopies) mended = parts_.engine->mend_metadata();
  const std::uint64_t took_ns = parts_.clock->monotonic_ns() - begun_ns;
  lock.lock();
  // This copy is read again then, and what was found damaged is not forgotten.
  if (!checked || !mended) return kRetryNs;
  status_.found.mended_slots += *mended;
  ++next_copy_;
  return at_full_speed_ ? 0 : std::max(took_ns, health::kGapMinNs);
}

std::uint64_t Scanner::measure(Lock& lock) {
  const std::vector<SectorRange> places = std::exchange(to_measure_, {});
  load_.begin_own();
  lock.unlock();
  std::uint64_t slow = 0;
  for (const SectorRange& place : places) {
    const auto listed = parts_.engine->measure_slow(place, [this] { return !stopping_; });
    if (listed) slow += listed->value;
  }
  lock.lock();
  load_.end_own(std::nullopt, 0, 0);
  status_.found.slow += slow;
  finish_piece(slow != 0 ? health::ScanResult::trouble : health::ScanResult::good);
  return 0;
}

}  // namespace dmremap::set
