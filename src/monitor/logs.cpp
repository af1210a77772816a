// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>

#include <fmt/format.h>
#include <syslog.h>

#include "base/clock.hpp"
#include "monitor/channels.hpp"

namespace dmremap::monitor {

namespace {

int priority_of(Level level) {
  switch (level) {
    case Level::info:
      return LOG_INFO;
    case Level::notice:
      return LOG_NOTICE;
    case Level::warning:
      return LOG_WARNING;
    case Level::error:
      return LOG_ERR;
    case Level::critical:
      return LOG_CRIT;
  }
  return LOG_ERR;
}

class SyslogChannel final : public Channel {
 public:
  SyslogChannel() { ::openlog("dmremap", LOG_PID, LOG_DAEMON); }
  ~SyslogChannel() override { ::closelog(); }
  SyslogChannel(const SyslogChannel&) = delete;
  SyslogChannel& operator=(const SyslogChannel&) = delete;

  [[nodiscard]] std::vector<Error> deliver(const std::vector<Message>& messages) override {
    for (const Message& message : messages) {
      ::syslog(priority_of(message.level), "%s", line_of(message).c_str());
    }
    return {};
  }
};

class StdoutChannel final : public Channel {
 public:
  [[nodiscard]] std::vector<Error> deliver(const std::vector<Message>& messages) override {
    for (const Message& message : messages) {
      fmt::print("{} {:<8} {}\n", format_time(message.wall_ns), name_of(message.level),
                 line_of(message));
    }
    std::fflush(stdout);
    if (std::ferror(stdout) == 0) return {};
    return {{ErrorCode::io, "cannot be written", "stdout", {}}};
  }
};

}  // namespace

std::unique_ptr<Channel> syslog_channel() {
  return std::make_unique<SyslogChannel>();
}

std::unique_ptr<Channel> stdout_channel() {
  return std::make_unique<StdoutChannel>();
}

}  // namespace dmremap::monitor
