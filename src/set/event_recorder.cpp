// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/event_recorder.hpp"

#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "base/log.hpp"

namespace dmremap::set {

EventRecorder::EventRecorder(EventLog& events, std::string name, const format::Health& stored)
    : events_(events),
      name_(std::move(name)),
      read_errors_(stored.main_read_errors),
      write_errors_(stored.main_write_errors) {}

void EventRecorder::carry_with(std::function<void(format::Records&)> carry) {
  const std::lock_guard lock(mutex_);
  carry_ = std::move(carry);
}

void EventRecorder::fill_records(format::Records& records) {
  const std::lock_guard lock(mutex_);
  if (carry_) carry_(records);
}

void EventRecorder::on_event(format::Event event) {
  std::string where;
  if (!event.main.empty()) {
    where = fmt::format(" {}+{}", event.main.first.value, event.main.count.value);
  }
  log(event.severity,
      fmt::format("{}: {}{} {}", name_, format::name_of(event.kind), where, event.text));
  events_.on_event(std::move(event));
}

void EventRecorder::fill_health(format::Health& health) {
  events_.fill_health(health);
  const remap::Admin* engine = engine_.load();
  if (engine == nullptr) return;
  // counts() only loads counters: safe in the middle of a commit.
  const remap::EngineCounts counts = engine->counts();
  health.main_read_errors = read_errors_ + counts.main_read_errors;
  health.main_write_errors = write_errors_ + counts.main_write_errors;
}

}  // namespace dmremap::set
