// SPDX-License-Identifier: GPL-2.0-or-later
// Going into the background: a command that starts a server returns when the server is ready, or
// with the reason why it is not. The two processes share a pipe.
#pragma once

#include <optional>
#include <string_view>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// The end of the pipe that the background process writes to. The waiting process reads until it is
// closed: by close(), or by the end of the background process, which has released everything by
// then.
class Announcement {
 public:
  explicit Announcement(FileDescriptor pipe) : pipe_(std::move(pipe)) {}

  // False if the process that waits is gone, or was let go.
  bool say(std::string_view text);
  void close() { pipe_.reset(); }
  [[nodiscard]] bool is_closed() const { return !pipe_.valid(); }
  [[nodiscard]] int fd() const { return pipe_.get(); }

 private:
  FileDescriptor pipe_;
};

// The result of a fork: in each of the two processes one half is set. `child` is set in the
// background process, which has a session of its own.
struct BackgroundFork {
  std::optional<Announcement> child;
  // These two are set in the process that waits.
  pid_t child_pid = 0;
  FileDescriptor announced;  // read_to_end gives what the child says
};

// Call it while the process has one thread: fork(2) takes only the one that calls it along.
[[nodiscard]] Result<BackgroundFork> fork_to_background();

// Sends stdout and stderr to `log`, or nowhere if it is not valid, and leaves the directory, which
// could not be unmounted as long as the process stands in it.
[[nodiscard]] Result<void> leave_terminal(const FileDescriptor& log);

// Closes all inherited descriptors except the standard files and `kept`.
void close_all_but(int kept);

}  // namespace dmremap::os
