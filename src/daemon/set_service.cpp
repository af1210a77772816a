// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_service.hpp"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.hpp"
#include "daemon/stepwise.hpp"
#include "os/sealed_memory.hpp"

namespace dmremap::daemon {

namespace {

using namespace control;  // the messages
using std::chrono::milliseconds;

// The most that is relocated at once by hand. The engine itself takes no more at once.
constexpr SectorCount kLargestRelocation{2048};
// The most that is returned to main at once. Most of a range is usually not remapped, and costs
// nothing.
constexpr SectorCount kLargestReturn{65536};
// How often a client hears how far a retry is.
constexpr milliseconds kProgressEvery{500};
// How often the event log is checked for a follower while nothing happens.
constexpr milliseconds kFollowStep{500};

// Error protocol, before anything of it is copied.
Result<std::vector<std::byte>> data_of(const BackfillRequest& request, const Call& call) {
  SectorCount sum;
  for (const SectorRange& range : request.ranges.ranges) {
    sum = sum + range.count;
    if (sum > BackfillRequest::kMostSectors) {
      return fail(ErrorCode::protocol, "more data than is taken at once");
    }
  }
  return os::read_sealed(call.data(), sum.bytes());
}

}  // namespace

SetService::SetService(std::unique_ptr<set::RunningSet> set, std::unique_ptr<Exports> exports,
                       std::vector<std::string> warnings)
    : set_(std::move(set)),
      exports_(std::move(exports)),
      warnings_(std::move(warnings)),
      stopped_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Handlers SetService::handlers() {
  Handlers out;
  out.on<PingRequest>([](const auto&, Call&) { return DoneReply{}; });
  out.on<StatusRequest>([this](const auto&, Call&) { return StatusReply{status()}; });
  out.on_stream<EventsRequest>(
      [this](const EventsRequest& request, Call& call) { return follow_events(request, call); });
  out.on<HistoryRequest>([this](const auto&, Call&) { return disk_history(); });
  out.on<ExtentsRequest>([this](const auto&, Call&) { return disk_map(); });
  out.on<RemapRequest>(
      [this](const RemapRequest& request, Call& call) { return remap(request, call); });
  out.on<UnremapRequest>(
      [this](const UnremapRequest& request, Call& call) { return unremap(request, call); });
  out.on_stream<RetryRequest>(
      [this](const RetryRequest& request, Call& call) { return retry(request, call); });
  out.on<MarkRequest>([this](const MarkRequest& request, Call&) { return mark(request); });
  out.on<BackfillRequest>(
      [this](const BackfillRequest& request, Call& call) { return backfill(request, call); });
  out.on<SpareGrowRequest>(
      [this](const SpareGrowRequest& request, Call&) { return grow_spare(request); });
  out.on<ScrubRequest>([this](const ScrubRequest& request, Call&) { return scrub(request); });
  out.on<SettleRequest>([this](const auto&, Call&) { return settle(); });
  out.on<CopiedRequest>([this](const CopiedRequest& request, Call&) { return note_copy(request); });
  out.on<StopRequest>([this](const auto&, Call&) -> Result<DoneReply> {
    if (auto stopped = stop(ConnectedClients::refuse); !stopped) return failure_of(stopped);
    return DoneReply{};
  });
  out.on<HandOverRequest>([this](const auto&, Call& call) -> Result<DoneReply> {
    if (auto left = hand_over([&] { return !call.is_abandoned(); }); !left) return failure_of(left);
    return DoneReply{};
  });
  out.on<PowerOffRequest>([this](const auto&, Call&) -> Result<DoneReply> {
    if (auto recorded = prepare_power_off(); !recorded) return failure_of(recorded);
    return DoneReply{};
  });
  return out;
}

SetReport SetService::status() const {
  const std::shared_lock lock(mutex_);
  SetReport out = stopped_ ? last_status_ : report_of(set_->status());
  out.pid = ::getpid();
  if (!stopped_) {
    out.exports = exports_->reports();
    exports_->count_requests(out.io);
  }
  return out;
}

bool SetService::follow_events(const EventsRequest& request, Call& call) {
  std::uint64_t after = request.after;
  auto events = set_->events().wait_since(after, milliseconds(0));
  // The first batch goes out even if it is empty, so that a follower knows it is heard.
  if (!call.send(EventsReply{reports_of(events)})) return false;
  if (!request.follow) return true;
  while (!call.is_abandoned()) {
    if (!events.empty()) after = events.back().number;
    events = set_->events().wait_since(after, kFollowStep);
    if (!events.empty() && !call.send(EventsReply{reports_of(events)})) return false;
  }
  return false;
}

Result<RemapReply> SetService::remap(const RemapRequest& request, const Call& call) {
  RemapReply sum;
  const auto step = [&](SectorRange part) -> Result<void> {
    const auto done = set_->admin().relocate(part);
    if (!done) return failure_of(done);
    sum.relocated_sectors = sum.relocated_sectors + done->relocated;
    sum.lost_sectors = sum.lost_sectors + done->lost;
    sum.untouched_sectors = sum.untouched_sectors + done->untouched;
    return {};
  };
  if (auto done = in_steps(request.range, kLargestRelocation, call, step); !done) {
    return failure_of(done);
  }
  return sum;
}

Result<UnremapReply> SetService::unremap(const UnremapRequest& request, const Call& call) {
  UnremapReply sum;
  const auto step = [&](SectorRange part) -> Result<void> {
    const auto done = set_->admin().unremap(part);
    if (!done) return failure_of(done);
    if (sum.kept_sectors.value == 0) sum.first_kept_sector = done->first_kept;
    if (done->kept.value != 0) sum.error = done->error;
    sum.returned_sectors = sum.returned_sectors + done->returned;
    sum.kept_sectors = sum.kept_sectors + done->kept;
    sum.untouched_sectors = sum.untouched_sectors + done->untouched;
    return {};
  };
  if (auto done = in_steps(request.range, kLargestReturn, call, step); !done) {
    return failure_of(done);
  }
  return sum;
}

// In one step under the lock: a stop that waits for it ends it before its next read.
bool SetService::retry(const RetryRequest& request, Call& call) {
  using std::chrono::steady_clock;
  const std::shared_lock lock(mutex_);
  if (auto may = check_change(request.range); !may) return call.refuse(may.error());
  auto next = steady_clock::now() + kProgressEvery;
  const auto go_on = [&](const remap::RetryReport& so_far) {
    if (call.is_abandoned() || stops_asked_.load() != 0) return false;
    if (steady_clock::now() < next) return true;
    next = steady_clock::now() + kProgressEvery;
    return call.send(RetryReply{false, so_far.asked, so_far.tried, {}, {}, {}, {}, 0});
  };
  const auto done = set_->admin().retry(request.range, go_on);
  if (!done) return call.refuse(done.error());
  return call.send(RetryReply{true, done->asked, done->tried, done->recovered, done->good,
                              done->lost, done->suspect, done->error});
}

Result<MarkReply> SetService::mark(const MarkRequest& request) {
  const std::shared_lock lock(mutex_);
  if (auto may = check_change({}); !may) return failure_of(may);
  const auto done =
      set_->admin().mark_known_bad({request.lost.ranges, request.suspect.ranges}, request.dry_run);
  if (!done) return failure_of(done);
  return MarkReply{done->lost, done->suspect, done->unchanged};
}

Result<BackfillReply> SetService::backfill(const BackfillRequest& request, const Call& call) {
  // The data is read without the lock: its pages may have been swapped out, even to this very set,
  // and a stop must not wait for that.
  const auto data = data_of(request, call);
  if (!data) return failure_of(data);
  const std::shared_lock lock(mutex_);
  if (auto may = check_change({}); !may) return failure_of(may);
  const auto done =
      set_->admin().backfill({request.ranges.ranges, *data, request.as_of, request.gone});
  if (!done) return failure_of(done);
  return BackfillReply{done->filled, done->kept_gone, done->unchanged};
}

Result<SpareGrowReply> SetService::grow_spare(const SpareGrowRequest& request) {
  const std::shared_lock lock(mutex_);
  if (auto may = check_change({}); !may) return failure_of(may);
  const auto grown = set_->grow_spare(request.size_bytes);
  if (!grown) return failure_of(grown);
  return report_of(*grown);
}

Result<ScrubReply> SetService::scrub(const ScrubRequest& request) {
  const std::shared_lock lock(mutex_);
  if (auto may = check_change({}); !may) return failure_of(may);
  if (set_->scanner() == nullptr) {
    return fail(ErrorCode::not_supported, "is not scanned: its process is that of the initramfs",
                set_->name(), "start it on the host, if the root file system does not lie on it");
  }
  set::Scanner& scanner = *set_->scanner();
  Result<void> done;
  if (request.action == "start") {
    set::ScanWish wish{request.now, request.rate, {}};
    if (request.rate == 0U) return fail(ErrorCode::usage, "a rate of 0 would never scan");
    if (request.window) {
      const auto window = health::parse_pace_window(*request.window);
      if (!window) return failure_of(window);
      wish.window = *window;
    }
    done = scanner.start(wish);
  } else if (request.action == "pause") {
    done = scanner.pause();
  } else if (request.action == "resume") {
    done = scanner.resume();
  } else if (request.action == "stop") {
    done = scanner.end();
  } else {
    return fail(ErrorCode::protocol, "no such action of the scanner", request.action);
  }
  if (!done) return failure_of(done);
  return ScrubReply{report_of(scanner.status())};
}

Result<SettleReply> SetService::settle() {
  const std::shared_lock lock(mutex_);
  if (auto may = check_recording(); !may) return failure_of(may);
  const auto moment = set_->settle();
  if (!moment) return failure_of(moment);
  return SettleReply{moment->run, moment->writes};
}

Result<DoneReply> SetService::note_copy(const CopiedRequest& request) {
  const std::shared_lock lock(mutex_);
  if (auto may = check_recording(); !may) return failure_of(may);
  const auto noted = set_->note_copy({{request.run, request.writes}, request.left_out.ranges});
  if (!noted) return failure_of(noted);
  return DoneReply{};
}

Result<HistoryReply> SetService::disk_history() const {
  const std::shared_lock lock(mutex_);
  if (auto running = check_running(); !running) return failure_of(running);
  const auto history = set_->disk_history();
  if (!history) return fail(ErrorCode::not_supported, "its metadata has no history", set_->name());
  HistoryReply out = report_of(*history);
  if (const auto profile = set_->latency_profile()) out.latency = report_of(*profile);
  return out;
}

Result<DiskMap> SetService::disk_map() const {
  const std::shared_lock lock(mutex_);
  if (auto running = check_running(); !running) return failure_of(running);
  const remap::Admin& engine = set_->admin();
  const std::uint64_t sequence = set_->status().sequence;  // taken before the table
  const io::Geometry& geometry = set_->disk().geometry();
  return DiskMap{geometry.size, engine.extents(), geometry.unit(), sequence, engine.failing()};
}

Result<void> SetService::stop(ConnectedClients clients) {
  // Work in steps sees this count, ends before its next step and releases the lock.
  const ScopedCount asked(stops_asked_);
  const std::unique_lock lock(mutex_);
  if (stopped_) return outcome_;
  if (auto answered = check_overdue(); !answered) return answered;
  if (auto ended = exports_->stop(clients); !ended) return ended;
  // The users are gone. From here on the set is stopped, and later calls return the same outcome.
  ::sd_notify(0, "STOPPING=1");
  last_status_ = report_of(set_->status());
  if (const auto unsaved = exports_->unsaved()) set_->note_unsaved(*unsaved);
  end(set_->stop());
  return outcome_;
}

Result<void> SetService::check_overdue() const {
  const std::size_t overdue = set_->admin().conditions().overdue;
  if (overdue == 0) return {};
  return fail(ErrorCode::device_in_use,
              fmt::format("{} requests were given up at their deadlines, and a device still has "
                          "them",
                          overdue),
              set_->name(), "stop again when it has answered; the kernel log may say more");
}

void SetService::end(Result<void> outcome) {
  outcome_ = std::move(outcome);
  stopped_ = true;
  const std::uint64_t one = 1;
  // Written once: it cannot be full.
  [[maybe_unused]] const ssize_t written = ::write(stopped_fd_.get(), &one, sizeof one);
}

Result<void> SetService::hand_over(const std::function<bool()>& is_wanted) {
  const ScopedCount asked(stops_asked_);
  const std::unique_lock lock(mutex_);
  // A client that gave up while another one had the lock would leave the users of the device to
  // nobody.
  if (!is_wanted()) return fail(ErrorCode::timeout, "whoever was to take it over is gone");
  if (auto may = check_recording(); !may) return may;
  if (auto may = exports_->check_hand_over(); !may) return may;
  if (auto answered = check_overdue(); !answered) return answered;
  last_status_ = report_of(set_->status());
  // A program that it runs to ask the drive may lie on this very device: it must have ended before
  // requests are held.
  set_->end_background();
  if (auto left = exports_->hand_over(is_wanted); !left) {
    set_->begin_background();
    return left;
  }
  handed_over_ = true;
  end(set_->stop());
  // The next process finds a set whose process was killed then, which it can take over as well.
  if (!outcome_) log(Severity::error, outcome_.error().message());
  return {};
}

bool SetService::is_handed_over() const {
  const std::shared_lock lock(mutex_);
  return handed_over_;
}

Result<void> SetService::prepare_power_off() {
  const ScopedCount asked(stops_asked_);
  const std::unique_lock lock(mutex_);
  if (auto running = check_running(); !running) return running;
  if (is_powered_off_) return {};
  if (auto may = exports_->check_hand_over(); !may) return may;
  if (auto answered = check_overdue(); !answered) return answered;
  set_->end_background();
  auto recorded = exports_->hold_changes([this] { return set_->record_clean(); });
  is_powered_off_ = recorded.has_value();
  if (!is_powered_off_) set_->begin_background();
  return recorded;
}

bool SetService::waits_for_device() const {
  const std::shared_lock lock(mutex_);
  return !stopped_ && set_->admin().conditions().overdue > 0;
}

bool SetService::look_at_exports() {
  const std::shared_lock lock(mutex_);
  if (!stopped_) {
    exports_->look();
    set_->note_export_trouble(exports_->trouble());
  }
  return !stopped_ && exports_->ended();
}

std::uint64_t SetService::sectors_elsewhere() const {
  const std::shared_lock lock(mutex_);
  return set_->sectors_elsewhere();
}

StartReport SetService::start_report() const {
  const std::shared_lock lock(mutex_);
  return {set_->name(), exports_->reports(), warnings_};
}

template <typename Step>
Result<void> SetService::in_steps(SectorRange range, SectorCount largest, const Call& call,
                                  const Step& step) {
  const auto ended = [&] { return call.is_abandoned() || stops_asked_.load() != 0; };
  // The lock is held for one step at a time, so that a stop waits for no more than that, and the
  // set is checked again each time.
  const auto locked_step = [&](SectorRange part) -> Result<void> {
    const std::shared_lock lock(mutex_);
    if (auto may = check_change(range); !may) return may;
    return step(part);
  };
  const auto left = stepwise(range, largest, ended, locked_step);
  if (!left) return failure_of(left);
  if (left->empty()) return {};
  return fail(ErrorCode::not_running,
              fmt::format("ended before sector {}, because the set is being stopped or the "
                          "client is gone",
                          left->first.value),
              set_->name(), "what is done stays done; ask for the rest again");
}

Result<void> SetService::check_running() const {
  if (stopped_) return fail(ErrorCode::not_running, "is being stopped", set_->name());
  return {};
}

Result<void> SetService::check_recording() const {
  if (auto running = check_running(); !running) return running;
  if (!is_powered_off_) return {};
  return fail(ErrorCode::read_only,
              "its clean stop is recorded, for the machine is to be turned off: nothing of it is "
              "changed any more",
              set_->name(),
              "turn the machine off; or end the set's process with SIGKILL and start the set: its "
              "users go on");
}

Result<void> SetService::check_change(SectorRange range) const {
  if (auto may = check_recording(); !may) return may;
  if (set_->read_only()) {
    return fail(ErrorCode::read_only, "was started read-only", set_->name(),
                "start it without --read-only");
  }
  const SectorRange disk{{0}, set_->disk().geometry().size};
  if (disk.contains(range)) return {};
  return fail(
      ErrorCode::usage,
      fmt::format("the range ends beyond the device, which has {} sectors", disk.count.value),
      set_->name(), "sectors are counted from 0, 512 bytes each");
}

}  // namespace dmremap::daemon
