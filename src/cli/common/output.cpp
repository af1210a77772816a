// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/output.hpp"

#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/protocol.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;
constexpr auto kReplace = json::error_handler_t::replace;

// A hint for errors that came without one.
std::string_view usual_hint(ErrorCode code) {
  switch (code) {
    case ErrorCode::io:
    case ErrorCode::metadata_commit:
    case ErrorCode::tripped:
      return "see the kernel log, and check cable and power";
    case ErrorCode::no_such_device:
      return "check the path, and that the device is connected";
    case ErrorCode::permission:
      return "run it as root, or as who owns the device";
    case ErrorCode::no_space:
    case ErrorCode::no_memory:
      return "make room and try again";
    case ErrorCode::spare_full:
      return "copy the disk to a healthy one, or make the spare larger (`dmremap spare grow`)";
    case ErrorCode::metadata_full:
      return "copy the disk to a healthy one: no more bad sectors can be taken";
    case ErrorCode::read_only:
      return "see `dmremap status` and `dmremap events` for why";
    case ErrorCode::not_running:
    case ErrorCode::timeout:
      return "see `dmremap list`, and try again";
    case ErrorCode::device_in_use:
      return "end what uses it first";
    case ErrorCode::metadata_doubtful:
    case ErrorCode::metadata_fork:
      return "look with `dmremap examine`";
    case ErrorCode::usage:
      return "see `dmremap --help`";
    case ErrorCode::protocol:
      return "use the same version of dmremap that runs the set";
    default:
      return "see dmremap(8)";
  }
}

Error with_hint(Error error) {
  if (error.hint.empty()) error.hint = usual_hint(error.code);
  return error;
}

}  // namespace

int report(const Error& given, bool as_json) {
  const Error error = with_hint(given);
  if (as_json) {
    const json object{{"error", os::to_json(error)}};
    fmt::print(stderr, "{}\n", object.dump(-1, ' ', false, kReplace));
  } else {
    fmt::print(stderr, "dmremap: {}\n", printable(error.message()));
  }
  return static_cast<int>(class_of(error.code));
}

namespace {
Verbosity verbosity_of_program = Verbosity::normal;
}  // namespace

void set_verbosity(Verbosity verbosity) {
  verbosity_of_program = verbosity;
}

bool is_quiet() {
  return verbosity_of_program == Verbosity::quiet;
}

void tell(const std::string& text) {
  if (verbosity_of_program != Verbosity::verbose) return;
  fmt::print(stderr, "dmremap: {}\n", printable(text));
}

void warn(const std::string& text) {
  if (is_quiet()) return;
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

}  // namespace dmremap::cli
