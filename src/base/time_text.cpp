// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/time_text.hpp"

#include <array>
#include <cstdio>
#include <ctime>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "base/units.hpp"

namespace dmremap {

namespace {

// A date, or a date with a time of the day, as it was written.
struct Written {
  tm parts{};
  bool utc = false;
};

// Requires that text matches one of these forms to its end.
std::optional<Written> read_written(std::string_view given) {
  Written out;
  std::string text(given);
  if (text.ends_with('Z')) {
    out.utc = true;
    text.pop_back();
  }
  static constexpr std::array kForms{"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
                                     "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"};
  for (const char* form : kForms) {
    out.parts = tm{};
    const char* end = ::strptime(text.c_str(), form, &out.parts);
    if (end == nullptr || *end != '\0') continue;
    // Whether it is summer time then is for the C library to find out.
    out.parts.tm_isdst = -1;
    return out;
  }
  return std::nullopt;
}

// A time before 1970 counts as its begin.
std::uint64_t nanoseconds(time_t seconds) {
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds) * kSecondNs;
}

std::optional<std::uint64_t> time_of(Written written) {
  const time_t seconds = written.utc ? ::timegm(&written.parts) : ::mktime(&written.parts);
  return nanoseconds(seconds);
}

std::uint64_t begin_of_day(std::uint64_t now_ns, int days_before) {
  const auto seconds = static_cast<time_t>(now_ns / kSecondNs);
  tm parts{};
  ::localtime_r(&seconds, &parts);
  parts.tm_sec = parts.tm_min = parts.tm_hour = 0;
  parts.tm_mday -= days_before;
  parts.tm_isdst = -1;
  return nanoseconds(::mktime(&parts));
}

struct TimeUnit {
  std::string_view name;
  std::uint64_t seconds;
};
constexpr std::array<TimeUnit, 6> kTimeUnits{
    {{"s", 1}, {"min", 60}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}}};

std::optional<std::uint64_t> time_before(std::string_view text, std::uint64_t now_ns) {
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) return std::nullopt;
  const auto number = parse_number(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const TimeUnit& unit : kTimeUnits) {
    if (text.substr(digits) != unit.name) continue;
    const std::uint64_t now_s = now_ns / kSecondNs;
    const bool before_epoch = *number > now_s / unit.seconds;
    return before_epoch ? 0 : now_ns - *number * unit.seconds * kSecondNs;
  }
  return std::nullopt;
}

}  // namespace

std::string local_time_text(std::uint64_t wall_ns) {
  const auto seconds = static_cast<time_t>(wall_ns / kSecondNs);
  tm parts{};
  if (::localtime_r(&seconds, &parts) == nullptr) return "?";
  std::array<char, 64> text{};
  const char* form = parts.tm_gmtoff == 0 ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%dT%H:%M:%S%z";
  const std::size_t size = std::strftime(text.data(), text.size(), form, &parts);
  return {text.data(), size};
}

std::optional<std::uint64_t> parse_utc_time(std::string_view text) {
  const auto written = read_written(text);
  if (!written || !written->utc) return std::nullopt;
  return time_of(*written);
}

std::string local_time_text(std::string_view utc) {
  const auto wall_ns = parse_utc_time(utc);
  return wall_ns ? local_time_text(*wall_ns) : std::string(utc);
}

Result<std::uint64_t> parse_since(std::string_view text, std::uint64_t now_ns) {
  if (text == "today") return begin_of_day(now_ns, 0);
  if (text == "yesterday") return begin_of_day(now_ns, 1);
  if (const auto before = time_before(text, now_ns)) return *before;
  if (const auto written = read_written(text)) {
    if (const auto time = time_of(*written)) return *time;
  }
  return fail(ErrorCode::usage, "not a time", std::string(text),
              "give a date such as 2026-11-22 or `2026-11-22 16:19`, `today`, `yesterday`, or how "
              "long ago it was, such as 2h or 7d");
}

}  // namespace dmremap
