// SPDX-License-Identifier: GPL-2.0-or-later
// Events as lines, of one set and of all.
#pragma once

#include <cstdint>
#include <string>

#include "control/messages.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::cli {

// "2026-11-22T17:50:46+0100 warning remap 300000+1 written to the spare", in local time.
[[nodiscard]] std::string event_line(const control::EventReport& event);

// Shows the events since that time of all sets that run, and of those that are started later, until
// it is interrupted or stdout is closed. Each is a line that begins with the name of its set, or an
// object in a line with the name in it. That a set ended, does not answer, or answers again is a
// line on stderr. Returns the exit code.
int follow_all_events(const control::RuntimeDir& runtime, std::uint64_t since_ns, bool as_json);

}  // namespace dmremap::cli
