// SPDX-License-Identifier: GPL-2.0-or-later
// The report of a process that is to serve a set, to the process that waits for it: one answer of
// the control protocol through a pipe, with "served" or an error. The waiting process reads until
// the pipe is closed. After an error that is when the other process has ended and released
// everything.
#pragma once

#include "base/result.hpp"
#include "daemon/set_daemon.hpp"
#include "os/background.hpp"

namespace dmremap::daemon {

// Sends one report to the waiting process. As soon as the name of the set is known, the log goes to
// the runtime directory.
class Reporter final : public StartObserver {
 public:
  Reporter(os::Announcement announcement, const control::RuntimeDir& runtime)
      : announcement_(std::move(announcement)), runtime_(runtime) {}

  void named(const std::string& name) override;
  bool serving(const control::StartReport& what) override;
  // A start that is refused leaves no log behind.
  void failed(const Error& error);
  [[nodiscard]] bool has_told() const { return announcement_.is_closed(); }

 private:
  os::Announcement announcement_;
  const control::RuntimeDir& runtime_;
  std::string log_path_;
  bool log_is_new_ = false;
};

// The content of a report: the start report, or the error.
[[nodiscard]] Result<control::StartReport> report_in(const std::string& said);

// Sends stderr to the set's log in the runtime directory. True if there was none before.
bool log_to_runtime_dir(const control::RuntimeDir& runtime, const std::string& name);

}  // namespace dmremap::daemon
