// SPDX-License-Identifier: GPL-2.0-or-later
// What a monitor tells people: an event of a set by its name in CamelCase, as the events of
// mdadm --monitor are named.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dmremap::monitor {

enum class Level : std::uint8_t { info, notice, warning, error, critical };
[[nodiscard]] std::string_view name_of(Level level);

// An event that may be told. `mailed`: people are sent mail about it; others are only written to
// the log and given to programs.
struct EventType {
  std::string_view name;
  Level level;
  bool mailed;
  std::string_view meaning;  // for the manual
};
// All but those of conditions.
[[nodiscard]] std::span<const EventType> event_types();

// The event of a condition, by its word ("spare-away") or that of `doubtful`.
struct ConditionType {
  std::string_view condition;
  std::string_view name;  // "SpareAway"; when it goes, "SpareAwayOver"
  Level level;
};
[[nodiscard]] std::span<const ConditionType> condition_types();

struct Message {
  std::string event;
  std::string set;
  std::string detail;  // one line without control characters; may be empty
  Level level = Level::info;
  bool mailed = false;
  std::uint64_t wall_ns = 0;  // when it was noticed; 0: not stamped yet

  bool operator==(const Message&) const = default;
};

// "SpareAway backup: the spare does not answer".
[[nodiscard]] std::string line_of(const Message& message);

// A message of a type of `event_types`.
[[nodiscard]] Message make_message(std::string_view event, const std::string& set,
                                   const std::string& detail);
// A condition came, or with `over` went. A condition of a later version gets a name made from its
// word.
[[nodiscard]] Message make_condition_message(std::string_view condition, bool over,
                                             const std::string& set, const std::string& detail);
[[nodiscard]] Message make_test_message(const std::string& set);

}  // namespace dmremap::monitor
