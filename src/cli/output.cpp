// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output.hpp"

#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "base/units.hpp"
#include "control/protocol.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;
constexpr auto kReplace = json::error_handler_t::replace;

}  // namespace

int report(const Error& error, bool as_json) {
  if (as_json) {
    const json object{{"error", control::to_json(error)}};
    fmt::print(stderr, "{}\n", object.dump(-1, ' ', false, kReplace));
  } else {
    fmt::print(stderr, "dmremap: {}\n", printable(error.message()));
  }
  return static_cast<int>(class_of(error.code));
}

void warn(const std::string& text) {
  fmt::print(stderr, "dmremap: warning: {}\n", printable(text));
}

void print_json(json object) {
  object["json_version"] = kJsonVersion;
  fmt::print("{}\n", object.dump(2, ' ', false, kReplace));
}

std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string counted(std::uint64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string human_size(std::uint64_t sectors) {
  static constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(sectors) / 2;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace dmremap::cli
