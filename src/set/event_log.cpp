// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/event_log.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "format/history.hpp"

namespace dmremap::set {

EventLog::EventLog(Clock& clock, const format::Health& stored)
    : clock_(clock), next_number_(std::max<std::uint64_t>(stored.next_event, 1)) {
  std::ranges::merge(stored.events, stored.later_events, std::back_inserter(events_), {},
                     &format::Event::number, &format::Event::number);
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

template <typename Condition>
std::vector<format::Event> EventLog::last_of(std::size_t most, const Condition& condition) const {
  std::vector<format::Event> out;
  for (auto event = events_.rbegin(); event != events_.rend() && out.size() < most; ++event) {
    if (condition(*event)) out.push_back(*event);
  }
  std::ranges::reverse(out);
  return out;
}

void EventLog::fill_health(format::Health& health) {
  const std::lock_guard lock(mutex_);
  const auto version_1 = [](const format::Event& event) { return is_of_version_1(event.kind); };
  health.events = last_of(format::kStoredEvents, version_1);
  health.later_events = last_of(format::kHistoryEvents, std::not_fn(version_1));
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
