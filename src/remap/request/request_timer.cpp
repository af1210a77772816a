// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/request_timer.hpp"

#include <cerrno>
#include <mutex>

#include "base/assert.hpp"
#include "base/thread_name.hpp"
#include "remap/data_path.hpp"

namespace dmremap::remap {

RequestTimer::RequestTimer(Disk& disk) : disk_(disk) {
  disk_.add_timer(*this);
}

RequestTimer::~RequestTimer() {
  disk_.remove_timer(*this);
}

void RequestTimer::begin(SectorRange changed, TimedCaller& caller) {
  changed_ = changed;
  caller_ = &caller;
  const std::uint64_t number = (state_.load(std::memory_order_relaxed) | kPhase) + 1;
  state_.store(number | kRunning);
}

bool RequestTimer::claim() {
  std::uint64_t state = state_.load();
  if ((state & kPhase) == kRunning &&
      state_.compare_exchange_strong(state, (state & ~kPhase) | kClaimed)) {
    return true;
  }
  if ((state & kPhase) == kExpired) timeouts_->end(*this);
  return (state & kPhase) == kClaimed;
}

bool RequestTimer::renew() {
  std::uint64_t state = state_.load();
  return (state & kPhase) == kRunning && state_.compare_exchange_strong(state, state + kPhase + 1);
}

RequestTimeouts::RequestTimeouts(DataPath& path)
    : path_(path), mutex_(path.scheduling), wake_(path.scheduling) {
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

RequestTimeouts::~RequestTimeouts() {
  stop();
}

void RequestTimeouts::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RequestTimeouts::add(RequestTimer& timer) {
  const std::lock_guard lock(mutex_);
  timer.timeouts_ = this;
  timers_.push_back(&timer);
}

void RequestTimeouts::remove(RequestTimer& timer) {
  const std::lock_guard lock(mutex_);
  std::erase(timers_, &timer);
}

void RequestTimeouts::loop() {
  name_this_thread("deadlines");
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kInterval, [this] { return stopping_; })) {
    const std::optional<SectorRange> first = look_locked();
    if (!first) continue;
    // A device that hangs lets many expire at once, and one event says it. Without the lock, for
    // whoever takes the event may wait for a log.
    lock.unlock();
    path_.emit(format::EventKind::degraded, Severity::warning, *first, ETIMEDOUT,
               first->empty() ? "given up, not yet answered" : "write given up, not yet answered");
    lock.lock();
  }
}

std::optional<SectorRange> RequestTimeouts::look_locked() {
  // Without the time in which the process stood still: it took nothing from a deadline.
  const std::uint64_t now_ns = path_.clock.monotonic_ns();
  std::optional<SectorRange> first;
  for (RequestTimer* timer : timers_) {
    const std::uint64_t state = timer->state_.load();
    if ((state & RequestTimer::kPhase) != RequestTimer::kRunning) continue;
    if (timer->seen_state_ != state) {
      timer->seen_state_ = state;
      timer->seen_ns_ = now_ns;
    } else if (now_ns - timer->seen_ns_ >= path_.request_deadline_ns) {
      if (expire_locked(*timer) && !first) first = timer->changed_;
    }
  }
  return first;
}

// The order matters. First nobody else can claim the request; then later writes go elsewhere; only
// then its caller is told, and may send them.
bool RequestTimeouts::expire_locked(RequestTimer& timer) {
  std::uint64_t state = timer.seen_state_;
  const std::uint64_t expired = (state & ~RequestTimer::kPhase) | RequestTimer::kExpired;
  if (!timer.state_.compare_exchange_strong(state, expired)) return false;
  overdue_.fetch_add(1);
  if (!timer.changed_.empty()) {
    path_.live.add_overdue(timer.changed_);
    // Past this process they would go in place.
    (void)path_.withhold(timer.changed_);
  }
  timer.caller_->expire();
  return true;
}

void RequestTimeouts::end(RequestTimer& timer) {
  const std::lock_guard lock(mutex_);
  if (!timer.changed_.empty()) path_.live.remove_overdue(timer.changed_);
  timer.state_.store(timer.state_.load() | RequestTimer::kOver);
  overdue_.fetch_sub(1);
}

}  // namespace dmremap::remap
