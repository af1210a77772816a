// SPDX-License-Identifier: GPL-2.0-or-later
// Events of a set as a whole.
#pragma once

#include <string>
#include <utility>

#include "format/event.hpp"

namespace dmremap::set {

// Names no sectors. Its time is that of the log that takes it.
[[nodiscard]] inline format::Event make_event(format::EventKind kind, Severity severity,
                                              std::string text) {
  format::Event event;
  event.kind = kind;
  event.severity = severity;
  event.text = std::move(text);
  return event;
}

}  // namespace dmremap::set
