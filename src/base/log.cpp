// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <sys/socket.h>
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
  // A log that cannot be written must not stop the set. And whoever reads a socket, the journal's
  // daemon say, may wait for the device that this process serves: it is never waited for.
  const ssize_t sent = ::send(STDERR_FILENO, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0 || errno != ENOTSOCK) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace dmremap
