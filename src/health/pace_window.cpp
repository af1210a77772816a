// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/pace_window.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/parse.hpp"

namespace dmremap::health {
namespace {

// HH:MM, up to 24:00.
std::optional<unsigned> minute_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = parse_number(text.substr(0, 2));
  const auto minutes = parse_number(text.substr(3));
  if (!hours || !minutes || *minutes >= 60) return std::nullopt;
  const auto minute = static_cast<unsigned>(*hours * 60 + *minutes);
  if (minute > kMinutesPerDay) return std::nullopt;
  return minute;
}

}  // namespace

bool PaceWindow::contains(unsigned minute) const {
  if (from < to) return minute >= from && minute < to;
  return minute >= from || minute < to;
}

unsigned PaceWindow::until(unsigned minute) const {
  if (contains(minute)) return 0;
  return (from + kMinutesPerDay - minute) % kMinutesPerDay;
}

Result<PaceWindow> parse_pace_window(std::string_view text) {
  constexpr std::string_view kForm = "give HH:MM-HH:MM in local time, such as 01:00-06:00";
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto from = minute_of(text.substr(0, dash));
  // Without a dash what follows it is empty, and no time either.
  const auto to = minute_of(text.substr(std::min(dash + 1, text.size())));
  if (!from || !to || *from == kMinutesPerDay) {
    return fail(ErrorCode::usage, "not a window of time", std::string(text), std::string(kForm));
  }
  if (*from == *to) {
    return fail(ErrorCode::usage, "the window is empty: it would never scan", std::string(text),
                "give 00:00-24:00 for the whole day, or pause the scanner");
  }
  return PaceWindow{*from, *to};
}

std::string to_text(const PaceWindow& window) {
  return fmt::format("{:02}:{:02}-{:02}:{:02}", window.from / 60, window.from % 60, window.to / 60,
                     window.to % 60);
}

Result<std::uint64_t> parse_pace_rate(std::string_view text) {
  std::string_view size = text;
  if (size.ends_with("/s")) size.remove_suffix(2);
  const auto rate = parse_size(size);
  if (!rate) {
    return fail(ErrorCode::usage, "not a rate", std::string(text),
                "give bytes a second, or a whole number with K, M or G, such as 20M");
  }
  if (*rate == 0) {
    return fail(ErrorCode::usage, "a rate of 0 would never scan", std::string(text),
                "give a rate above 0, or pause the scanner");
  }
  return *rate;
}

}  // namespace dmremap::health
