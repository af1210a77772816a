// SPDX-License-Identifier: GPL-2.0-or-later
// Those who use the set: requests that overlap, each checked against what the promises allow.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "remap/request/request_timer.hpp"
#include "sim/lives/stage.hpp"

namespace dmremap::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kLongest = 300;
constexpr std::uint64_t kMegabyte = 2'048;

// Why a request may fail, looked at before and after it.
class Excuse {
 public:
  explicit Excuse(Stage& stage)
      : stage_(stage),
        trips_(stage.trips),
        gone_events_(stage.gone_events),
        losses_(losses()),
        spare_changes_(stage.spare_changes),
        before_(bad_now()) {}

  [[nodiscard]] bool any() const {
    return before_ || bad_now() || stage_.trips != trips_ || stage_.gone_events != gone_events_ ||
           losses() != losses_ || stage_.spare_changes != spare_changes_ || stage_.plan.slow;
  }

 private:
  [[nodiscard]] std::uint64_t losses() const {
    return stage_.main.losses() + stage_.spare.losses();
  }
  [[nodiscard]] bool bad_now() const {
    const remap::Conditions now = stage_.engine->conditions();
    return now.read_only || now.tripped || stage_.spare_faults > 0 || !stage_.main.plugged();
  }

  Stage& stage_;
  std::uint64_t trips_;
  std::uint64_t gone_events_;
  std::uint64_t losses_;
  std::uint64_t spare_changes_;
  bool before_;
};

// Lost, gone or failing: an error without a look.
bool any_nowhere(Stage& stage, SectorRange range) {
  for (const remap::FailingPlace& place : stage.engine->failing()) {
    if (place.main.overlaps(range)) return true;
  }
  const remap::TableCounts counts = stage.engine->table_counts();
  if (counts.lost + counts.gone == 0) return false;
  for (const format::Extent& extent : stage.engine->extents()) {
    const bool nowhere =
        extent.state() == format::State::lost || extent.state() == format::State::gone;
    if (nowhere && extent.main().overlaps(range)) return true;
  }
  return false;
}

// What another thread says of a request.
class Answer final : public remap::Completion {
 public:
  explicit Answer(World& world) : mutex_(world), come_(world) {}

  void complete(io::IoStatus status) override {
    const std::lock_guard lock(mutex_);
    if (status_) throw Broken("a request is answered twice");
    status_ = status;
    come_.notify_one();
  }
  io::IoStatus wait() {
    std::unique_lock lock(mutex_);
    come_.wait(lock, [this] { return status_.has_value(); });
    return *status_;
  }

 private:
  Mutex mutex_;
  Condition come_;
  std::optional<io::IoStatus> status_;
};

// As a front end that does not keep a thread waiting: the answer may come from another one.
io::IoStatus read_or_later(Stage& stage, Sector first, std::span<std::byte> out) {
  const auto answer = std::make_shared<Answer>(stage.world);
  const auto later = [answer, out](io::IoStatus status, std::span<const std::byte> data) {
    if (status.ok()) std::ranges::copy(data, out.begin());
    answer->complete(status);
  };
  if (const auto now = stage.engine->read_or_later(first, out, later)) return *now;
  return answer->wait();
}

// As a ring with one thread: what is direct goes to its device from here, what is not is answered
// by a thread of the engine.
io::IoStatus begin_and_finish(Stage& stage, remap::Request request) {
  Answer answer(stage.world);
  request.done = &answer;
  if (auto direct = stage.engine->begin(request)) {
    const io::IoStatus status = remap::issue(*direct);
    if (const auto now = stage.engine->finish(std::move(*direct), status)) return *now;
  }
  return answer.wait();
}

// A thread of a front end with one request. Its caller is told at the deadline, and the thread
// stays with the device for as long as that takes.
class ServedRequest final : public remap::TimedCaller {
 public:
  ServedRequest(Stage& stage, const remap::Request& request)
      : request_(request),
        buffer_(std::max<std::uint64_t>(request.range.count.bytes(), 1)),
        answer_(stage.world),
        timer_(std::in_place, *stage.engine) {
    using Kind = remap::Request::Kind;
    if (request.kind == Kind::write) std::ranges::copy(request.data, buffer_.span().begin());
    if (request.kind == Kind::write) request_.data = buffer_.span();
    if (request.kind == Kind::read) request_.out = buffer_.span();
    request_.timer = &*timer_;
    const bool changes = request.kind != Kind::read && request.kind != Kind::flush;
    timer_->begin(changes ? request.range : SectorRange{}, *this);
  }

  void serve(Stage& stage) {
    const io::IoStatus status = remap::run(*stage.engine, request_);
    const bool mine = timer_->claim();
    timer_.reset();
    if (mine) answer_.complete(status);
  }
  io::IoStatus wait() { return answer_.wait(); }
  [[nodiscard]] std::span<const std::byte> read() { return buffer_.span(); }

  void expire() override {
    expired_ = true;
    answer_.complete({ETIMEDOUT});
  }
  [[nodiscard]] bool expired() const { return expired_; }

 private:
  remap::Request request_;
  AlignedBuffer buffer_;
  Answer answer_;
  std::optional<remap::RequestTimer> timer_;
  bool expired_ = false;
};

io::IoStatus run_served(Stage& stage, const remap::Request& request) {
  const auto served = std::make_shared<ServedRequest>(stage, request);
  Thread thread(stage.world, [served, &stage] {
    stage.world.name_thread("server");
    served->serve(stage);
  });
  stage.servers.push_back(std::move(thread));
  const io::IoStatus status = served->wait();
  if (served->expired()) ++stage.report.expired;
  if (status.ok() && request.kind == remap::Request::Kind::read) {
    std::ranges::copy(served->read(), request.out.begin());
  }
  return status;
}

// One way or the other of a front end; `number` is of the request.
io::IoStatus run(Stage& stage, const remap::Request& request, std::uint64_t number) {
  if (stage.plan.deadline_ms != 0 && number % 4 != 1) return run_served(stage, request);
  const bool waits = !stage.plan.begins || number % 2 == 0;
  return waits ? remap::run(*stage.engine, request) : begin_and_finish(stage, request);
}

void zero(Stage& stage, SectorRange range) {
  ++stage.report.zeroes;
  const auto write = stage.checker.begin_zeroes(range);
  const io::IoStatus status =
      run(stage, {.kind = remap::Request::Kind::zeroes, .range = range}, stage.report.zeroes);
  if (stage.crashed()) return;
  stage.look_for_losses();
  stage.say(
      fmt::format("zero {}+{}: errno {}", range.first.value, range.count.value, status.error));
  stage.checker.end(write, status.ok() ? Checker::Outcome::acknowledged : Checker::Outcome::may_be);
}

void discard(Stage& stage, SectorRange range) {
  ++stage.report.discards;
  const auto write = stage.checker.begin_zeroes(range);
  const io::IoStatus status =
      run(stage, {.kind = remap::Request::Kind::discard, .range = range}, stage.report.discards);
  if (stage.crashed()) return;
  stage.say(
      fmt::format("discard {}+{}: errno {}", range.first.value, range.count.value, status.error));
  stage.checker.end(write, Checker::Outcome::may_be);
}

// From an image of main that is made now: it has what main would show, but for what cannot be read
// until it is written. So the checker knows every value that may come of it.
void backfill(Stage& stage, Dice& dice, SectorRange range) {
  ++stage.report.backfills;
  const std::uint64_t as_of = stage.store->current().sequence;
  std::vector<SectorRange> image{range};
  for (const Sector spoiled : stage.main.spoiled()) {
    const SectorRange unit = stage.whole({spoiled, {1}});
    if (!image.back().overlaps(unit)) continue;
    const Sector end = image.back().end();
    image.back().count =
        unit.first > image.back().first ? unit.first - image.back().first : SectorCount{0};
    if (image.back().empty()) image.pop_back();
    if (unit.end() >= end) break;
    image.push_back({unit.end(), end - unit.end()});
  }
  std::vector<std::byte> data;
  for (const SectorRange& part : image) {
    const auto bytes = stage.main.contents().subspan(part.first.byte_offset(), part.count.bytes());
    data.insert(data.end(), bytes.begin(), bytes.end());
  }
  // Between the look and the filling much may happen.
  stage.world.sleep(milliseconds(dice.below(400)));
  if (stage.ending) return;
  const auto done = stage.engine->backfill({image, data, as_of, false});
  if (done) stage.report.backfilled_sectors += done->filled.value;
}

// The rest of the disk, in steps.
void grow_spare(Stage& stage, Dice& dice) {
  const SectorCount now{stage.engine->table_counts().spare_size};
  if (now >= kSpareDiskSize) return;
  const SectorCount size = format::largest_growth(
      now, {std::min(kSpareDiskSize.value, now.value + 8 * dice.between(1, 512))});
  if (size <= now) return;
  stage.asked_size = std::max(stage.asked_size, size);
  stage.largest_size = std::max(stage.largest_size, size);
  const auto grown = stage.engine->grow_spare(size);
  if (stage.crashed() || !grown) return;
  stage.say(fmt::format("the spare has {} sectors", size.value));
  stage.sure_size = std::max(stage.sure_size, size);
  ++stage.report.growths;
}

}  // namespace

int checked_read(Stage& stage, SectorRange range) {
  ++stage.report.reads;
  const Excuse excuse(stage);
  const bool nowhere_before = any_nowhere(stage, range);
  const Checker::Tick begun = stage.checker.begin_read();
  const auto usable_ns = [&stage] { return stage.world.time_ns() - stage.stood_still_ns; };
  const std::uint64_t begun_ns = usable_ns();
  const std::uint64_t stood_still = stage.stood_still_ns;
  AlignedBuffer buffer(range.count.bytes());
  const io::IoStatus status = begun % 3 == 2
                                  ? read_or_later(stage, range.first, buffer.span())
                                  : run(stage, {.range = range, .out = buffer.span()}, begun % 3);
  if (stage.crashed()) return EIO;
  stage.look_for_losses();
  stage.say(
      fmt::format("read {}+{}: errno {}", range.first.value, range.count.value, status.error));
  const std::span<const std::byte> data = status.ok() ? buffer.span() : std::span<std::byte>{};
  const std::string wrong = stage.checker.end_read(begun, range.first, data);
  if (!wrong.empty()) throw Broken(wrong);
  if (status.ok()) return 0;
  ++stage.report.read_errors;
  if (!excuse.any() && !stage.spare_spoiled && !stage.bad_reads.any(range) &&
      !stage.listed.any(range) && !nowhere_before && !any_nowhere(stage, range)) {
    throw Broken(fmt::format("a read of {}+{} fails (errno {}) and nothing is wrong there",
                             range.first.value, range.count.value, status.error));
  }
  // The first attempt is the drive's affair; from then on the request has its deadline.
  constexpr std::uint64_t kDeadlineNs = 30'000'000'000;
  constexpr std::uint64_t kSlowestNs = 130'000'000'000;
  // Each pause may seem to have lasted that much less.
  const std::uint64_t unseen_ns = stage.stood_still_ns > stood_still ? 10'000'000'000 : 0;
  if (usable_ns() - begun_ns > kDeadlineNs + unseen_ns + (stage.plan.slow ? 2 * kSlowestNs : 0)) {
    throw Broken(fmt::format("a read of {}+{} took {} s", range.first.value, range.count.value,
                             (usable_ns() - begun_ns) / 1'000'000'000));
  }
  return status.error;
}

int checked_write(Stage& stage, SectorRange range, bool fua) {
  ++stage.report.writes;
  const Excuse excuse(stage);
  const remap::Conditions before = stage.engine->conditions();
  const auto write = stage.checker.begin_write(range);
  AlignedBuffer buffer(range.count.bytes());
  put_stamp(buffer.span(), range.first, write.stamp);
  const io::IoStatus status =
      run(stage,
          {.kind = remap::Request::Kind::write, .range = range, .data = buffer.span(), .fua = fua},
          write.stamp);
  if (stage.crashed()) return EIO;
  stage.look_for_losses();
  stage.say(fmt::format("write {} {}+{}{}: errno {}", write.stamp, range.first.value,
                        range.count.value, fua ? " fua" : "", status.error));
  if (status.ok()) {
    stage.checker.end(write, fua ? Checker::Outcome::durable : Checker::Outcome::acknowledged);
    return 0;
  }
  ++stage.report.write_errors;
  stage.checker.end(write, Checker::Outcome::may_be);
  const remap::Conditions after = stage.engine->conditions();
  const bool full =
      stage.plan.small_spare || before.spare_full || after.spare_full || after.table_full;
  // A FUA may find that a flush failed.
  if (!excuse.any() && !full && !fua) {
    throw Broken(fmt::format("promise 4: a write of {}+{} fails (errno {}) and there is room",
                             range.first.value, range.count.value, status.error));
  }
  return status.error;
}

int checked_flush(Stage& stage) {
  ++stage.report.flushes;
  const Checker::Tick begun = stage.checker.begin_flush();
  const io::IoStatus status =
      run(stage, {.kind = remap::Request::Kind::flush, .range = {}}, stage.report.flushes);
  if (stage.crashed()) return EIO;
  stage.look_for_losses();
  stage.say(fmt::format("flush: errno {}", status.error));
  if (!status.ok()) ++stage.report.flush_errors;
  const std::string wrong = stage.checker.end_flush(begun, status.ok());
  if (!wrong.empty()) throw Broken(wrong);
  return status.error;
}

void client(Stage& stage, Dice dice, unsigned number) {
  stage.world.name_thread(fmt::format("client {}", number));
  for (std::uint64_t i = 0; i < stage.plan.requests && !stage.ending; ++i) {
    const SectorRange range = stage.some_range(dice, dice.one_in(40) ? kMegabyte : kLongest);
    if (!stage.plan.weak.empty() && dice.one_in(12)) (void)checked_read(stage, stage.plan.weak);
    switch (dice.below(20)) {
      case 0:
      case 1:
        (void)checked_flush(stage);
        break;
      case 2:
        zero(stage, range);
        break;
      case 3:
        if (dice.one_in(3)) discard(stage, range);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
        (void)checked_read(stage, range);
        break;
      default:
        // Who is told that a write failed mostly tries again.
        if (checked_write(stage, range, dice.one_in(10)) != 0 && stage.plan.deadline_ms != 0 &&
            !stage.ending) {
          (void)checked_write(stage, range, false);
        }
        break;
    }
    if (stage.ending) return;
    if (dice.one_in(8)) stage.look_at_table();
    if (dice.one_in(16)) stage.world.sleep(milliseconds(dice.below(20)));
    // What is slow takes its time to be found.
    if (dice.one_in(stage.plan.slow ? 30 : 200)) stage.world.sleep(seconds(dice.below(8)));
  }
}

void administrator(Stage& stage, Dice dice) {
  stage.world.name_thread("administrator");
  for (std::uint64_t i = 0; i < 12 && !stage.ending; ++i) {
    stage.world.sleep(milliseconds(dice.below(30)));
    if (stage.ending) return;
    const SectorRange range = stage.some_range(dice, kLongest);
    if (stage.plan.grows && dice.one_in(4)) {
      grow_spare(stage, dice);
      continue;
    }
    switch (dice.below(6)) {
      case 0:
        ++stage.report.relocations;
        stage.moved_by_hand.add(range);
        (void)stage.engine->relocate(range);
        break;
      case 1: {
        ++stage.report.imports;
        stage.listed.add(range);
        table::KnownBad list;
        (dice.one_in(2) ? list.lost : list.suspect).push_back(range);
        (void)stage.engine->mark_known_bad(list, false);
        break;
      }
      case 2:
      case 3:
        backfill(stage, dice, range);
        break;
      default:
        ++stage.report.unremaps;
        (void)stage.engine->unremap(range);
        break;
    }
  }
}

namespace {

// What a pass of the scan does with the metadata, while others use the set.
void check_metadata(Stage& stage) {
  for (unsigned copy = 0; copy < format::kCopies && !stage.ending; ++copy) {
    if (!stage.engine->check_metadata(copy)) return;
  }
  if (stage.ending) return;
  if (const auto mended = stage.engine->mend_metadata()) stage.report.mended_slots += *mended;
}

}  // namespace

void scanner(Stage& stage, Dice dice) {
  stage.world.name_thread("scanner");
  const remap::ContinueCheck go_on = [&stage] { return !stage.ending; };
  for (std::uint64_t i = 0; i < 12 && !stage.ending; ++i) {
    stage.world.sleep(milliseconds(dice.below(30)));
    if (stage.ending) return;
    // As in a window in which it is measured what the scan costs.
    stage.engine->sample_latencies(dice.one_in(2));
    (void)stage.engine->take_latencies();
    if (dice.one_in(4)) check_metadata(stage);
    if (stage.ending) return;
    const SectorRange range = stage.some_range(dice, 512);
    const auto found = stage.engine->scan(range, go_on);
    ++stage.report.scans;
    if (!found) continue;
    for (const SectorRange& slow : found->long_reads) {
      if (stage.ending) return;
      (void)stage.engine->measure_slow(slow, go_on);
    }
  }
}

}  // namespace dmremap::sim
