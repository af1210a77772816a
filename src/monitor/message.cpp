// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/message.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace dmremap::monitor {

namespace {

constexpr std::array kEventTypes{
    EventType{"SetStarted", Level::info, false, "a set is served that was not before"},
    EventType{"SetStopped", Level::notice, false, "it was stopped"},
    EventType{"SetDied", Level::critical, true, "its process ended without a stop"},
    EventType{"SetVanished", Level::error, true,
              "its process runs, but its files in the runtime directory are gone"},
    EventType{"NoAnswer", Level::error, true, "its process runs and does not answer"},
    EventType{"AnswersAgain", Level::info, true, "after NoAnswer or SetVanished"},
    EventType{"SectorsLost", Level::error, true, "while sectors are lost, more became lost"},
    EventType{"SectorsRemapped", Level::notice, false, "more sectors are on the spare"},
    EventType{"SpareSectorsRetired", Level::warning, false, "sectors of the spare itself went bad"},
    EventType{"VerdictWorse", Level::error, true, "the verdict on the disk became worse"},
    EventType{"VerdictBetter", Level::info, false, "it became better"},
    EventType{"VerdictChanged", Level::notice, false, "it became known, or unknown"},
    EventType{"TestMessage", Level::info, true, "of --test"},
};

constexpr std::array kConditionTypes{
    ConditionType{"tripped", "Tripped", Level::critical},
    ConditionType{"main-missing", "MainMissing", Level::critical},
    ConditionType{"main-read-only", "MainReadOnly", Level::error},
    ConditionType{"data-lost", "DataLost", Level::critical},
    ConditionType{"spare-away", "SpareAway", Level::critical},
    ConditionType{"spare-refuses", "SpareRefuses", Level::critical},
    ConditionType{"spare-full", "SpareFull", Level::critical},
    ConditionType{"table-full", "TableFull", Level::critical},
    ConditionType{"spare-low", "SpareLow", Level::warning},
    ConditionType{"table-low", "TableLow", Level::warning},
    ConditionType{"device-resized", "DeviceResized", Level::error},
    ConditionType{"read-only", "ReadOnly", Level::error},
    ConditionType{"degraded", "Degraded", Level::warning},
    ConditionType{"doubtful", "Doubtful", Level::error},
};

// "spare-away" to "SpareAway".
std::string camel_case(std::string_view word) {
  std::string out;
  bool begins = true;
  for (const char c : word) {
    if (c == '-') {
      begins = true;
      continue;
    }
    const bool lower = c >= 'a' && c <= 'z';
    out += begins && lower ? static_cast<char>(c - 'a' + 'A') : c;
    begins = false;
  }
  return out;
}

// Paths and what a disk says may hold anything, and a line must stay one.
std::string in_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out;
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::info:
      return "info";
    case Level::notice:
      return "notice";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
    case Level::critical:
      return "critical";
  }
  return "error";
}

std::span<const EventType> event_types() {
  return kEventTypes;
}

std::span<const ConditionType> condition_types() {
  return kConditionTypes;
}

std::string line_of(const Message& message) {
  return fmt::format("{} {}{}{}", message.event, message.set, message.detail.empty() ? "" : ": ",
                     message.detail);
}

Message make_message(std::string_view event, const std::string& set, const std::string& detail) {
  const auto* const type = std::ranges::find(kEventTypes, event, &EventType::name);
  DMREMAP_ASSERT(type != kEventTypes.end());
  return {std::string(event), set, in_one_line(detail), type->level, type->mailed};
}

Message make_condition_message(std::string_view condition, bool over, const std::string& set,
                               const std::string& detail) {
  const auto* const type = std::ranges::find(kConditionTypes, condition, &ConditionType::condition);
  const bool known = type != kConditionTypes.end();
  const std::string name = known ? std::string(type->name) : camel_case(condition);
  if (over) return {name + "Over", set, in_one_line(detail), Level::info, true};
  return {name, set, in_one_line(detail), known ? type->level : Level::error, true};
}

Message make_test_message(const std::string& set) {
  return make_message("TestMessage", set, "this is a test: messages of this set arrive");
}

}  // namespace dmremap::monitor
