// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"

namespace dmremap {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

void log(Severity severity, std::string_view line) {
  const std::string text =
      fmt::format("{} {}: {}\n", format_time(system_clock().wall_ns()), name_of(severity), line);
  // A log that cannot be written must not stop the set.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace dmremap
