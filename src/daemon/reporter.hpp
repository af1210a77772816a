// SPDX-License-Identifier: GPL-2.0-or-later
// How a process that is to serve a set tells the one that waits for it: one answer of the control
// protocol through a pipe, with "served" or an error. It reads until the pipe is closed: after an
// error that is when the process has ended and let go of everything.
#pragma once

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "daemon/serving.hpp"

namespace dmremap::daemon {

// Tells the waiting process, once. From when the set's name is known, the log goes to the runtime
// directory.
class Reporter final : public ServeObserver {
 public:
  Reporter(FileDescriptor pipe, const control::RuntimeDir& runtime)
      : pipe_(std::move(pipe)), runtime_(runtime) {}

  void named(const std::string& name) override;
  bool serving(const nlohmann::json& what) override;
  // A start that is refused leaves no log behind.
  void failed(const Error& error);
  [[nodiscard]] bool has_told() const { return !pipe_.valid(); }

 private:
  bool tell(const nlohmann::json& answer);

  FileDescriptor pipe_;
  const control::RuntimeDir& runtime_;
  std::string log_path_;
  bool log_is_new_ = false;
};

// Sends stderr to the set's log in the runtime directory. True if there was none before.
bool log_to_runtime_dir(const control::RuntimeDir& runtime, const std::string& name);

// Points a standard file at a path; without it the process merely keeps what it had.
void redirect(const char* path, int flags, int target);

// What the other process tells, or nothing if it ended without a word.
[[nodiscard]] std::string read_report(const FileDescriptor& pipe);
// "was killed by signal 9", "ended with status 1".
[[nodiscard]] std::string end_of_process(pid_t child);

}  // namespace dmremap::daemon
