// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "monitor/channels.hpp"
#include "os/host_name.hpp"
#include "os/program_run.hpp"

namespace dmremap::monitor {

namespace {

std::string this_host() {
  const std::string name = os::host_name();
  return name.empty() ? "this host" : name;
}

// An address goes into a header line, where a line end would begin another header.
Result<void> check_address(const std::string& address) {
  const bool fine = !address.empty() && std::ranges::all_of(address, [](unsigned char c) {
    return c > 0x20 && c != 0x7f;
  });
  if (fine) return {};
  return fail(ErrorCode::usage, "is no mail address", address,
              "give one address, as root or admin@example.org");
}

class MailChannel final : public Channel {
 public:
  explicit MailChannel(MailSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool wants(const Message& message) const override { return message.mailed; }
  [[nodiscard]] std::chrono::milliseconds interval() const override { return settings_.interval; }

  [[nodiscard]] std::vector<Error> deliver(const std::vector<Message>& messages) override {
    const auto sent = os::run_program({{settings_.program, "-t"},
                                       mail_text(messages, settings_, this_host()),
                                       settings_.deadline});
    if (sent) return {};
    Error error = sent.error();
    error.what =
        fmt::format("mail to {} was not sent ({}{}): {}", settings_.to, messages.front().event,
                    messages.size() == 1 ? "" : ", ...", error.what);
    return {error};
  }

 private:
  const MailSettings settings_;
};

}  // namespace

std::string mail_text(const std::vector<Message>& messages, const MailSettings& settings,
                      const std::string& host) {
  const Message& worst = *std::ranges::max_element(messages, {}, &Message::level);
  std::string subject = fmt::format("dm-remap: {} {} on {}", worst.event, worst.set, host);
  if (messages.size() > 1) subject += fmt::format(" (and {} more)", messages.size() - 1);
  std::string out =
      fmt::format("From: {}\nTo: {}\nSubject: {}\n", settings.from.empty() ? "root" : settings.from,
                  settings.to, subject);
  // No automatic answer is wanted (RFC 3834).
  out += "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n";
  out += "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n";
  out += fmt::format("dmremap monitor on {} noticed:\n\n", host);
  std::set<std::string> sets;
  for (const Message& message : messages) {
    out += fmt::format("{}  {}\n", format_time(message.wall_ns), line_of(message));
    sets.insert(message.set);
  }
  out += "\nLook closer with:\n\n";
  for (const std::string& set : sets) {
    out += fmt::format("    dmremap status {0}\n    dmremap events {0}\n", set);
  }
  return out;
}

Result<std::unique_ptr<Channel>> mail_channel(const MailSettings& settings) {
  if (auto fine = check_address(settings.to); !fine) return failure_of(fine);
  if (!settings.from.empty()) {
    if (auto fine = check_address(settings.from); !fine) return failure_of(fine);
  }
  if (auto there = os::check_program(settings.program); !there) {
    Error error = there.error();
    error.what = "mail cannot be sent: " + error.what;
    error.hint = "install a mail transfer agent, or name its program with --sendmail";
    return tl::unexpected(std::move(error));
  }
  return std::make_unique<MailChannel>(settings);
}

}  // namespace dmremap::monitor
