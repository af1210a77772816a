// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_order.hpp"

#include <algorithm>

namespace dmremap::health {
namespace {

// A pass that lags by one part of this many of its interval is overdue.
constexpr std::uint64_t kLagParts = 7;

}  // namespace

ScanOrder::ScanOrder(const ScanRecord& record, ScanPolicy policy)
    : layout_(record.size),
      policy_{std::max<std::uint64_t>(policy.pass_interval_s, 1)},
      clock_(record.elapsed_s, record.wall_s),
      rechecks_(record.places, layout_.segments(), record.elapsed_s),
      passes_(record.passes),
      step_(std::min(record.step, layout_.steps())),
      pass_began_s_(std::min(record.pass_began_s, clock_.elapsed_s())),
      last_trouble_s_(std::min(record.last_trouble_s, clock_.elapsed_s())),
      last_complete_wall_s_(record.last_complete_wall_s) {
  for (const RecheckPlace& place : rechecks_.places()) {
    if (place.surroundings_due) read_surroundings_of(place.segment);
  }
}

void ScanOrder::advance(std::uint64_t monotonic_ns, std::uint64_t wall_ns) {
  clock_.advance(monotonic_ns, wall_ns);
}

std::optional<ScanPiece> ScanOrder::next(SectorCount most) {
  if (!reading_) choose_segment();
  if (!reading_) return std::nullopt;
  // A whole number of blocks, whatever is asked for.
  named_ = std::min(reading_->rest.count, std::max(most, kScanPiece));
  return ScanPiece{{reading_->rest.first, named_}, reading_->reason};
}

void ScanOrder::choose_segment() {
  const auto read = [this](ScanReason reason, std::uint32_t segment) {
    reading_ = Reading{reason, layout_.sectors_of(segment), segment, false};
  };
  if (const auto near = surroundings_.take()) return read(ScanReason::surroundings, *near);
  const std::uint64_t now_s = clock_.elapsed_s();
  if (const auto due = rechecks_.due(now_s)) return read(ScanReason::recheck, *due);
  if (!pass_running() && now_s - pass_began_s_ >= pass_interval_s()) begin_pass();
  skip_steps();
  if (const auto segment = layout_.segment_at(step_)) read(ScanReason::pass, *segment);
}

void ScanOrder::begin_pass() {
  if (pass_running() || layout_.steps() == 0) return;
  step_ = 0;
  pass_began_s_ = clock_.elapsed_s();
  surroundings_.begin_pass();
}

// Leaves out steps without a segment, and segments that were read in this pass around trouble.
void ScanOrder::skip_steps() {
  while (pass_running()) {
    const auto segment = layout_.segment_at(step_);
    if (segment && !surroundings_.added(*segment)) return;
    take_step();
  }
}

void ScanOrder::take_step() {
  ++step_;
  if (pass_running()) return;
  ++passes_;
  last_complete_wall_s_ = clock_.wall_s();
}

void ScanOrder::finished(ScanResult result) {
  if (!reading_ || named_.value == 0) return;
  if (result == ScanResult::trouble) note_trouble(reading_->segment);
  reading_->rest = {reading_->rest.first + named_, reading_->rest.count - named_};
  named_ = {};
  if (reading_->rest.empty()) finish_segment();
}

void ScanOrder::finish_segment() {
  const Reading done = *reading_;
  reading_.reset();
  if (done.reason == ScanReason::surroundings && surroundings_.empty()) {
    rechecks_.clear_surroundings_due();
  }
  if (done.reason == ScanReason::recheck && !done.trouble) {
    rechecks_.note_good(done.segment, clock_.elapsed_s());
  }
  if (done.reason == ScanReason::pass) take_step();
  // At once, so that a pass that is over is known to be over.
  skip_steps();
}

void ScanOrder::note_trouble(std::uint32_t segment) {
  reading_->trouble = true;
  // 0 is "never".
  last_trouble_s_ = std::max<std::uint64_t>(clock_.elapsed_s(), 1);
  // With the list full the disk has trouble in so many places that the pass meets the rest of it;
  // to read on around each of them would keep a dying drive at its worst areas.
  const bool room = rechecks_.places().size() < kRecheckPlacesMax;
  if (rechecks_.note_trouble(segment, clock_.elapsed_s()) && room) {
    rechecks_.set_surroundings_due(segment);
    surroundings_.mark_read(segment);
    read_surroundings_of(segment);
  }
}

void ScanOrder::look_at(SectorRange place) {
  const SectorRange here = place.intersect({Sector{}, layout_.size()});
  if (here.empty()) return;
  const Sector last{here.end().value - 1};
  surroundings_.add(layout_.segment_of(here.first), layout_.segment_of(last) + 1);
}

void ScanOrder::read_surroundings_of(std::uint32_t segment) {
  const std::uint32_t first = segment - std::min(segment, kSurroundingSegments);
  const std::uint32_t end = std::min(segment + kSurroundingSegments + 1, layout_.segments());
  surroundings_.add(first, end);
}

bool ScanOrder::overdue() const {
  if (!surroundings_.empty()) return true;
  if (reading_ && reading_->reason == ScanReason::surroundings) return true;
  const std::uint64_t now_s = clock_.elapsed_s();
  if (const auto due_s = rechecks_.next_due_s(); due_s && now_s > *due_s + kWeekS) return true;
  if (!pass_running()) return false;
  const auto interval = static_cast<double>(pass_interval_s());
  const double planned = static_cast<double>(now_s - pass_began_s_) / interval;
  const double done = static_cast<double>(step_) / static_cast<double>(layout_.steps());
  return planned > done + 1.0 / kLagParts;
}

std::uint64_t ScanOrder::pass_interval_s() const {
  if (last_trouble_s_ == 0) return policy_.pass_interval_s;
  const std::uint64_t since_s = clock_.elapsed_s() - std::min(clock_.elapsed_s(), last_trouble_s_);
  const unsigned rate = since_s < kFreshTroubleS ? kFreshTroubleRate
                        : since_s < kTroubleS    ? kTroubleRate
                                                 : 1;
  return std::max<std::uint64_t>(policy_.pass_interval_s / rate, 1);
}

ScanProgress ScanOrder::progress() const {
  ScanProgress progress;
  progress.pass_running = pass_running();
  progress.scanned = layout_.covered_before(step_);
  if (reading_ && reading_->reason == ScanReason::pass) {
    const SectorCount whole = layout_.sectors_of(reading_->segment).count;
    progress.scanned = progress.scanned + (whole - reading_->rest.count);
  }
  const std::uint64_t now_s = clock_.elapsed_s();
  progress.in_pass_s = pass_running() ? now_s - pass_began_s_ : 0;
  if (pass_running() || reading_ || !surroundings_.empty()) return progress;
  std::uint64_t due_s = pass_began_s_ + pass_interval_s();
  if (const auto recheck_s = rechecks_.next_due_s()) due_s = std::min(due_s, *recheck_s);
  progress.next_due_s = due_s > now_s ? due_s - now_s : 0;
  return progress;
}

ScanRecord ScanOrder::record() const {
  return {layout_.size(),  passes_,           step_,           clock_.elapsed_s(),
          clock_.wall_s(), pass_began_s_,     last_trouble_s_, last_complete_wall_s_,
          PassWish::none,  rechecks_.places()};
}

}  // namespace dmremap::health
