// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/process_clock.hpp"

#include <algorithm>

#include "base/thread_name.hpp"

namespace dmremap::remap {

namespace {

// No request lasts through more of them.
constexpr std::size_t kMostPauses = 64;

constexpr std::uint64_t kLongestStepNs =
    std::chrono::nanoseconds(ProcessClock::kTick + ProcessClock::kSlack).count();

}  // namespace

ProcessClock::ProcessClock(Clock& raw, Scheduling& scheduling, bool ticking)
    : raw_(raw),
      last_tick_ns_(raw.monotonic_ns()),
      ticking_(ticking),
      thread_mutex_(scheduling),
      wake_(scheduling) {
  if (ticking) thread_ = Thread(scheduling, [this] { loop(); });
}

ProcessClock::~ProcessClock() {
  stop();
}

void ProcessClock::stop() {
  {
    const std::lock_guard lock(thread_mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  if (ticking_) tick_locked();
  ticking_ = false;
}

void ProcessClock::loop() {
  name_this_thread("clock");
  std::unique_lock lock(thread_mutex_);
  while (!wake_.wait_for(lock, kTick, [this] { return stopping_; })) {
    const std::lock_guard guard(mutex_);
    tick_locked();
  }
}

void ProcessClock::tick_locked() {
  const std::uint64_t now_ns = raw_.monotonic_ns();
  const std::uint64_t limit_ns = last_tick_ns_ + kLongestStepNs;
  last_tick_ns_ = now_ns;
  if (now_ns <= limit_ns) return;
  lost_ns_ += now_ns - limit_ns;
  ++count_;
  latest_.push_back({limit_ns, now_ns, lost_ns_});
  if (latest_.size() > kMostPauses) latest_.pop_front();
}

std::uint64_t ProcessClock::monotonic_ns() {
  const std::lock_guard lock(mutex_);
  const std::uint64_t now_ns = raw_.monotonic_ns();
  const std::uint64_t seen_ns =
      ticking_ ? std::min(now_ns, last_tick_ns_ + kLongestStepNs) : now_ns;
  return seen_ns - lost_ns_;
}

std::uint64_t ProcessClock::at_raw(std::uint64_t raw_ns) {
  const std::lock_guard lock(mutex_);
  // The pauses that ended later had lost nothing by then.
  std::uint64_t lost_ns = latest_.empty() ? lost_ns_ : 0;
  for (const Pause& pause : latest_) {
    if (raw_ns < pause.end_ns) {
      // A request may begin after the pause and before the tick that notices it.
      raw_ns = std::min(raw_ns, pause.begin_ns);
      break;
    }
    lost_ns = pause.lost_ns_until;
  }
  if (ticking_) raw_ns = std::min(raw_ns, last_tick_ns_ + kLongestStepNs);
  return raw_ns - lost_ns;
}

std::uint64_t ProcessClock::pauses() {
  const std::lock_guard lock(mutex_);
  // One that has ended before the thread could tick counts as it will after the tick.
  const bool unseen = ticking_ && raw_.monotonic_ns() > last_tick_ns_ + kLongestStepNs;
  return count_ + (unseen ? 1 : 0);
}

}  // namespace dmremap::remap
