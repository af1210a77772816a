// SPDX-License-Identifier: GPL-2.0-or-later
// Events of a set, as the verb `events` shows them. The last kStoredEvents are kept in the
// metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/units.hpp"

namespace dmremap::format {

enum class EventKind : std::uint8_t {
  remap = 1,
  lost,
  gone,
  recovered,
  trip,
  rearm,
  read_only,
  repair,
  spare_low,
  spare_full,
  table_full,
  start,
  stop,
  // Kinds that came after version 1 of the format. The health section of version 1 has no place for
  // them: they lie in the section "history".
  degraded,
  died,
  spare_away,
  spare_refuses,
  main_read_only,
  main_missing,
  device_resized,
  data_lost,
  table_low,
  spare_grown,
};
// True if the health section may hold an event of this kind.
[[nodiscard]] constexpr bool is_of_version_1(EventKind kind) {
  return kind <= EventKind::stop;
}

// The word that the command line shows, such as "remap", "readonly" or "spare-low".
[[nodiscard]] std::string_view name_of(EventKind kind);
[[nodiscard]] std::optional<EventKind> event_kind_of(std::uint8_t code);

inline constexpr std::size_t kStoredEvents = 48;
inline constexpr std::size_t kEventTextBytes = 32;

struct Event {
  std::uint64_t number = 0;   // 1, 2, 3 ... over the life of the set; given by the event log
  std::uint64_t wall_ns = 0;  // for people
  EventKind kind = EventKind::start;
  Severity severity = Severity::info;
  SectorRange main;  // empty where no sector is concerned
  int error = 0;     // the errno behind it, or 0
  std::string text;  // a few words; the metadata keeps the first kEventTextBytes bytes

  bool operator==(const Event&) const = default;
};

}  // namespace dmremap::format
