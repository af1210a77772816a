// SPDX-License-Identifier: GPL-2.0-or-later
// The signals that end a daemon, read instead of handled.
#pragma once

#include <chrono>
#include <optional>

#include "base/file_descriptor.hpp"

namespace dmremap::daemon {

// Blocks them in this thread and those it starts. One thread.
class EndSignals {
 public:
  EndSignals();
  // Readable when there is one.
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Its number: SIGTERM, SIGINT or SIGHUP.
  [[nodiscard]] std::optional<int> take() const;
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds timeout) const;

 private:
  FileDescriptor fd_;
};

}  // namespace dmremap::daemon
