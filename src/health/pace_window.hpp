// SPDX-License-Identifier: GPL-2.0-or-later
// What a user says of the scanner's time and rate: "01:00-06:00", "20MiB". Pure. Errors: usage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::health {

inline constexpr unsigned kMinutesPerDay = 24 * 60;

// A part of each day, in minutes of local time: from `from` to before `to`, over midnight if `to`
// is the earlier one. The whole day unless it was given.
struct PaceWindow {
  unsigned from = 0;  // less than kMinutesPerDay
  unsigned to = kMinutesPerDay;

  // `minute` of the day, less than kMinutesPerDay.
  [[nodiscard]] bool contains(unsigned minute) const;
  // Minutes until it contains the minute; 0 within.
  [[nodiscard]] unsigned until(unsigned minute) const;

  bool operator==(const PaceWindow&) const = default;
};

// HH:MM-HH:MM; 24:00 is the end of a day.
[[nodiscard]] Result<PaceWindow> parse_pace_window(std::string_view text);
[[nodiscard]] std::string to_text(const PaceWindow& window);

// Bytes a second, as parse_size() has them, with or without "/s".
[[nodiscard]] Result<std::uint64_t> parse_pace_rate(std::string_view text);

}  // namespace dmremap::health
