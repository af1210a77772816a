// SPDX-License-Identifier: GPL-2.0-or-later
// Lines over a connected socket, both ways, each with a deadline and a bound on its length. A line
// may carry a file descriptor.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Used by one thread at a time.
class LineSocket {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // `wake_fd`, if not -1, ends any wait with error not_running as soon as it becomes readable. It
  // is not owned.
  explicit LineSocket(FileDescriptor socket, int wake_fd = -1)
      : socket_(std::move(socket)), wake_fd_(wake_fd) {}

  // A line without its end; none: the other side closed. Errors: timeout; protocol for a line
  // longer than `max_bytes` (the connection is of no more use then); io; not_running.
  Result<std::optional<std::string>> read_line(std::size_t max_bytes, Milliseconds timeout);
  // The descriptor that came with the lines read so far; the last one, if several came. The other
  // side may have passed anything.
  [[nodiscard]] FileDescriptor take_descriptor() { return std::move(descriptor_); }
  // The other side gets a copy of `descriptor`, if it is not -1. Errors: timeout; not_running (the
  // other side closed); io.
  Result<void> write_line(std::string_view line, Milliseconds timeout, int descriptor = -1);
  // True once the other side can read no more.
  [[nodiscard]] bool is_hung_up() const;
  [[nodiscard]] bool is_woken() const;

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  Result<void> wait_for(short events, Deadline deadline) const;
  // Like recv(2) and send(2), without waiting.
  ssize_t receive(std::span<char> into);
  [[nodiscard]] ssize_t send(std::string_view bytes, int descriptor) const;

  FileDescriptor socket_;
  int wake_fd_;
  std::string buffer_;
  FileDescriptor descriptor_;
};

}  // namespace dmremap::os
