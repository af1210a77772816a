// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/condition_log.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "set/set_event.hpp"

namespace dmremap::set {

namespace {

using format::EventKind;

// How this log tells that a condition came or went.
struct EventRule {
  EventKind kind = EventKind::start;
  bool comes = true;  // its coming is told here
  bool goes = true;   // its going is told here
  Severity severity = Severity::error;
  std::string_view when_gone;  // metadata keeps 32 bytes of a text
};

// Returns nothing for a condition of which the engine or the start makes the events.
std::optional<EventRule> event_rule_of(Condition condition) {
  switch (condition) {
    case Condition::degraded:
      return EventRule{EventKind::degraded, true, true, Severity::warning,
                       "over: all is as it should be"};
    case Condition::main_missing:
      return EventRule{EventKind::main_missing, true, true, Severity::error, "over: main is there"};
    case Condition::main_read_only:
      return EventRule{EventKind::main_read_only, true, true, Severity::error,
                       "over: main takes writes"};
    case Condition::device_resized:
      return EventRule{EventKind::device_resized, true, true, Severity::error,
                       "over: its size is as before"};
    case Condition::spare_away:
      return EventRule{EventKind::spare_away, true, true, Severity::error,
                       "over: the spare answers"};
    case Condition::spare_refuses:
      return EventRule{EventKind::spare_refuses, true, true, Severity::error,
                       "over: the spare takes writes"};
    case Condition::data_lost:
      return EventRule{EventKind::data_lost, true, true, Severity::error,
                       "over: no sector is lost"};
    case Condition::table_low:
      return EventRule{EventKind::table_low, true, true, Severity::warning,
                       "over: the table has room"};
    case Condition::spare_full:
      return EventRule{EventKind::spare_full, false, true, Severity::error,
                       "over: the spare has room"};
    case Condition::table_full:
      return EventRule{EventKind::table_full, false, true, Severity::error,
                       "over: the table has room"};
    case Condition::spare_low:
      return EventRule{EventKind::spare_low, false, true, Severity::warning,
                       "over: the spare has room"};
    case Condition::stopped:    // start and stop
    case Condition::died:       // the next start
    case Condition::tripped:    // trip and rearm
    case Condition::read_only:  // lasts until the set is stopped
      break;
  }
  return std::nullopt;
}

bool holds(const std::vector<ConditionReport>& reports, Condition condition) {
  return std::ranges::find(reports, condition, &ConditionReport::condition) != reports.end();
}

// A spare or table that became full is low no longer, and nothing is over.
bool is_worse_now(const std::vector<ConditionReport>& now, Condition condition) {
  return (condition == Condition::spare_low && holds(now, Condition::spare_full)) ||
         (condition == Condition::table_low && holds(now, Condition::table_full)) ||
         (condition == Condition::spare_refuses && holds(now, Condition::spare_away)) ||
         (condition == Condition::spare_away && holds(now, Condition::spare_refuses));
}

}  // namespace

std::vector<format::Event> ConditionLog::update(const std::vector<ConditionReport>& now) {
  std::vector<format::Event> events;
  for (const ConditionReport& before : known_) {
    const auto telling = event_rule_of(before.condition);
    if (!telling || !telling->goes || holds(now, before.condition)) continue;
    if (is_worse_now(now, before.condition)) continue;
    events.push_back(make_event(telling->kind, Severity::info, std::string(telling->when_gone)));
  }
  for (const ConditionReport& report : now) {
    const auto telling = event_rule_of(report.condition);
    if (!telling || !telling->comes || holds(known_, report.condition)) continue;
    events.push_back(make_event(telling->kind, telling->severity, report.text));
  }
  known_ = now;
  return events;
}

}  // namespace dmremap::set
