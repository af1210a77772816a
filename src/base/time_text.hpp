// SPDX-License-Identifier: GPL-2.0-or-later
// Points in time as people read and type them: in the time zone of the machine. Scripts are given
// UTC (format_time).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap {

// "2026-11-22T17:19:39+0100", and "2026-11-22T16:19:39Z" where local time is UTC.
[[nodiscard]] std::string local_time_text(std::uint64_t wall_ns);

// The time of a text as format_time writes it. Empty if it is none.
[[nodiscard]] std::optional<std::uint64_t> parse_utc_time(std::string_view text);

// The text of format_time in local time; the text itself if it is none.
[[nodiscard]] std::string local_time_text(std::string_view utc);

// The begin of what a user wants to see, in nanoseconds since the epoch: "2026-11-22",
// "2026-11-22 16:19" or with seconds and with T between them, in local time or with Z at the end in
// UTC; "today", "yesterday"; or a time before `now_ns`: "90s", "30min", "2h", "7d", "3w". Error
// usage.
[[nodiscard]] Result<std::uint64_t> parse_since(std::string_view text, std::uint64_t now_ns);

}  // namespace dmremap
