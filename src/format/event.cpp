// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/event.hpp"

namespace dmremap::format {

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::remap:
      return "remap";
    case EventKind::lost:
      return "lost";
    case EventKind::gone:
      return "gone";
    case EventKind::recovered:
      return "recovered";
    case EventKind::trip:
      return "trip";
    case EventKind::rearm:
      return "rearm";
    case EventKind::read_only:
      return "readonly";
    case EventKind::repair:
      return "repair";
    case EventKind::spare_low:
      return "spare-low";
    case EventKind::spare_full:
      return "spare-full";
    case EventKind::table_full:
      return "table-full";
    case EventKind::start:
      return "start";
    case EventKind::stop:
      return "stop";
    case EventKind::degraded:
      return "degraded";
    case EventKind::died:
      return "died";
    case EventKind::spare_away:
      return "spare-away";
    case EventKind::spare_refuses:
      return "spare-refuses";
    case EventKind::main_read_only:
      return "main-read-only";
    case EventKind::main_missing:
      return "main-missing";
    case EventKind::device_resized:
      return "device-resized";
    case EventKind::data_lost:
      return "data-lost";
    case EventKind::table_low:
      return "table-low";
    case EventKind::spare_grown:
      return "spare-grown";
  }
  return "unknown";
}

std::optional<EventKind> event_kind_of(std::uint8_t code) {
  if (code < static_cast<std::uint8_t>(EventKind::remap) ||
      code > static_cast<std::uint8_t>(EventKind::spare_grown)) {
    return std::nullopt;
  }
  return static_cast<EventKind>(code);
}

}  // namespace dmremap::format
