// SPDX-License-Identifier: GPL-2.0-or-later
// An nbdkit with the relay plugin (src/plugin/relay.cpp), as a child of the process of a set. It
// holds nothing of the set.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::daemon {

// Error not_supported if nbdkit or the plugin is not there.
[[nodiscard]] Result<void> check_nbd_server();

// One thread. Wait for its end before it is destroyed.
class NbdkitProcess {
 public:
  // It takes clients from `listening_socket`; `control` is the plugin's end of the control socket
  // (frontend/nbd/relay_protocol.hpp). It inherits copies of both.
  static Result<NbdkitProcess> start(int listening_socket, int control);

  // Readable when it has ended (pidfd_open(2)).
  [[nodiscard]] int end_fd() const { return process_.get(); }
  // Readable when it has printed something, or has closed its output.
  [[nodiscard]] int output_fd() const { return output_.get(); }
  // Passes what it printed so far on to the log. False at the end of the output.
  bool log_output();
  // The last line that it printed, which gives the reason of a failure; empty if it said nothing.
  [[nodiscard]] const std::string& last_line() const { return last_line_; }

  // It finishes the requests under way, and ends.
  void ask_to_end() const;
  void kill() const;
  // Waits for its end, in words: "was killed by signal 9".
  [[nodiscard]] std::string wait() const;

 private:
  NbdkitProcess() = default;

  pid_t pid_ = 0;
  FileDescriptor process_;
  FileDescriptor output_;
  std::string line_;  // that is not at its end yet
  std::string last_line_;
};

}  // namespace dmremap::daemon
