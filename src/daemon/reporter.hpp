// SPDX-License-Identifier: GPL-2.0-or-later
// How a process that is to serve a set tells the one that waits for it: one answer of the control
// protocol through a pipe, with "served" or an error. It reads until the pipe is closed: after an
// error that is when the process has ended and let go of everything.
#pragma once

#include "base/result.hpp"
#include "daemon/set_daemon.hpp"
#include "os/background.hpp"

namespace dmremap::daemon {

// Tells the waiting process, once. From when the set's name is known, the log goes to the runtime
// directory.
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

// What a Reporter has told: what is served, or the error.
[[nodiscard]] Result<control::StartReport> report_in(const std::string& said);

// Sends stderr to the set's log in the runtime directory. True if there was none before.
bool log_to_runtime_dir(const control::RuntimeDir& runtime, const std::string& name);

}  // namespace dmremap::daemon
