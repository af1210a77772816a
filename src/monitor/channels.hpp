// SPDX-License-Identifier: GPL-2.0-or-later
// The ways by which messages reach people: mail, a program, a directory of programs, the system's
// log, lines on stdout.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "monitor/delivery.hpp"

namespace dmremap::monitor {

struct MailSettings {
  std::string to;
  std::string from;     // empty: root, at this host
  std::string program;  // compatible with sendmail: takes `-t` and a mail on stdin
  std::chrono::milliseconds deadline{};
  // The shortest time between two mails. What happens meanwhile is in the next one: a disk that
  // dies has much to tell.
  std::chrono::milliseconds interval{};
};

// Errors: usage (an address that is none); those of os::check_program.
[[nodiscard]] Result<std::unique_ptr<Channel>> mail_channel(const MailSettings& settings);

// A mail as it is given to sendmail -t. Pure. `host`: this machine's name.
[[nodiscard]] std::string mail_text(const std::vector<Message>& messages,
                                    const MailSettings& settings, const std::string& host);

// Calls PROGRAM EVENT NAME [DETAIL] for each message. Errors: those of os::check_program.
[[nodiscard]] Result<std::unique_ptr<Channel>> program_channel(const std::string& program,
                                                               std::chrono::milliseconds deadline);

// Calls each executable of the directory like that, in the order of their names. Names with other
// characters than letters, digits, `_` and `-` are left out, as run-parts(8) does: those are what
// package managers and editors leave behind. A program is not called if another user could have
// changed it; that is an error once. If there is no such directory, nothing is called.
[[nodiscard]] std::unique_ptr<Channel> hooks_channel(const std::string& directory,
                                                     std::chrono::milliseconds deadline);

// syslog(3), facility daemon.
[[nodiscard]] std::unique_ptr<Channel> syslog_channel();

// One line each on stdout.
[[nodiscard]] std::unique_ptr<Channel> stdout_channel();

}  // namespace dmremap::monitor
