// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/kernel_log.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/parse.hpp"

namespace dmremap::lists {

namespace {

enum class Cause { medium, other };

struct ErrorLine {
  std::string_view device;
  Sector sector;
  Cause cause = Cause::other;
  bool read = false;
};

constexpr std::string_view kSectorMark = ", sector ";

// The part of `line` that follows `mark`; nothing if the line does not contain it.
std::optional<std::string_view> after(std::string_view line, std::string_view mark) {
  const std::size_t at = line.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  return line.substr(at + mark.size());
}

// Accepts only causes that can lie in the medium. A full thin volume ("critical space allocation
// error"), a reservation ("critical nexus error") or an unknown command ("critical target error")
// are no reason to doubt a sector.
std::optional<ErrorLine> parse_line(std::string_view line) {
  ErrorLine out;
  auto rest = after(line, "critical medium error, dev ");
  if (rest) {
    out.cause = Cause::medium;
  } else {
    rest = after(line, "I/O error, dev ");
  }
  if (!rest) return std::nullopt;
  const std::size_t end = rest->find(kSectorMark);
  if (end == std::string_view::npos) return std::nullopt;
  out.device = rest->substr(0, end);
  // The name of a device has no blanks. If there is one, two lines ran into one another, and
  // neither is used.
  if (out.device.empty() || out.device.find_first_of(" \t,") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view numbers = rest->substr(end + kSectorMark.size());
  std::uint64_t sector = 0;
  const auto [stop, error] =
      std::from_chars(numbers.data(), numbers.data() + numbers.size(), sector);
  const std::string_view behind = numbers.substr(static_cast<std::size_t>(stop - numbers.data()));
  const bool whole = behind.empty() || behind[0] == ' ' || behind[0] == '\r';
  if (error != std::errc{} || !whole || sector >= kAddressLimitSectors) return std::nullopt;
  out.sector = {sector};
  out.read = behind.find(":(READ)") != std::string_view::npos;
  return out;
}

template <typename Take>
void for_each_error(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const auto line = parse_line(text.substr(0, end))) take(*line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string hint_of(const std::set<std::string>& devices) {
  if (devices.empty()) {
    return "it takes lines like `critical medium error, dev sdb, sector 2048 op 0x0:(READ)`";
  }
  return fmt::format("it has errors of {}", fmt::join(devices, ", "));
}

}  // namespace

bool is_kernel_log(std::string_view text) {
  bool out = false;
  for_each_error(text, [&](const ErrorLine&) { out = true; });
  return out;
}

Result<KernelLogErrors> parse_kernel_log(std::string_view text, const std::string& name,
                                         std::string_view device) {
  constexpr std::string_view kDirectory = "/dev/";
  if (device.starts_with(kDirectory)) device.remove_prefix(kDirectory.size());
  KernelLogErrors out;
  std::set<std::string> devices;
  for_each_error(text, [&](const ErrorLine& line) {
    devices.emplace(line.device);
    if (line.device != device) return;
    const bool lost = line.cause == Cause::medium && line.read;
    (lost ? out.lost : out.suspect).push_back({line.sector, {1}});
  });
  if (device.empty()) {
    return fail(ErrorCode::usage, "a kernel log is of every disk: say of which one", name,
                "give the name that main had then: --device NAME; " + hint_of(devices));
  }
  if (out.lost.empty() && out.suspect.empty()) {
    return fail(ErrorCode::usage, fmt::format("has no read or write error of {}", device), name,
                hint_of(devices));
  }
  return out;
}

}  // namespace dmremap::lists
