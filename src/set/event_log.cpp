// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/event_log.hpp"

#include <algorithm>
#include <utility>

namespace dmremap::set {

EventLog::EventLog(Clock& clock, const format::Health& stored)
    : clock_(clock),
      events_(stored.events.begin(), stored.events.end()),
      next_number_(std::max<std::uint64_t>(stored.next_event, 1)) {
  // Numbers never come twice, even if the metadata of a foreign writer disagrees with itself.
  for (const format::Event& event : events_) {
    next_number_ = std::max(next_number_, event.number + 1);
  }
}

void EventLog::on_event(format::Event event) {
  event.wall_ns = clock_.wall_ns();
  {
    const std::lock_guard lock(mutex_);
    event.number = next_number_++;
    events_.push_back(std::move(event));
    if (events_.size() > kKept) events_.pop_front();
  }
  arrived_.notify_all();
}

void EventLog::fill_health(format::Health& health) {
  const std::lock_guard lock(mutex_);
  const std::size_t stored = std::min(events_.size(), format::kStoredEvents);
  health.events.assign(events_.end() - static_cast<std::ptrdiff_t>(stored), events_.end());
  health.next_event = next_number_;
}

std::vector<format::Event> EventLog::since_locked(std::uint64_t after) const {
  const auto first = std::upper_bound(
      events_.begin(), events_.end(), after,
      [](std::uint64_t number, const format::Event& event) { return number < event.number; });
  return {first, events_.end()};
}

std::vector<format::Event> EventLog::since(std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  return since_locked(after);
}

std::vector<format::Event> EventLog::wait_since(std::uint64_t after,
                                                std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, timeout,
                    [&] { return !events_.empty() && events_.back().number > after; });
  return since_locked(after);
}

}  // namespace dmremap::set
