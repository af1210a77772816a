// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/reporter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "control/messages.hpp"
#include "control/protocol.hpp"
#include "os/descriptor_io.hpp"
#include "os/json_line.hpp"

namespace dmremap::daemon {

void Reporter::named(const std::string& name) {
  log_path_ = runtime_.log(name);
  log_is_new_ = log_to_runtime_dir(runtime_, name);
}

bool Reporter::serving(const control::StartReport& what) {
  const bool told = announcement_.say(os::to_line(control::answer_of(control::StartReply{what})));
  announcement_.close();
  return told;
}

void Reporter::failed(const Error& error) {
  if (has_told()) return;
  if (log_is_new_) ::unlink(log_path_.c_str());
  (void)announcement_.say(os::to_line(control::make_answer(error)));
}

Result<control::StartReport> report_in(const std::string& said) {
  const auto answer = control::parse_answer(said);
  if (!answer) return failure_of(answer);
  const auto reply = control::message_in<control::StartReply>(*answer);
  if (!reply) return failure_of(reply);
  return reply->served;
}

bool log_to_runtime_dir(const control::RuntimeDir& runtime, const std::string& name) {
  const std::string path = runtime.log(name);
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  os::redirect(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, STDERR_FILENO);
  return is_new;
}

}  // namespace dmremap::daemon
