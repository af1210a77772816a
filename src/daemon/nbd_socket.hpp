// SPDX-License-Identifier: GPL-2.0-or-later
// The Unix socket at which NBD clients find a set. The process of the set makes it and keeps it,
// and each nbdkit that it starts takes clients from it: so the socket outlives nbdkit, and who
// connects while nbdkit is being started again waits.
#pragma once

#include <string>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::daemon {

// Movable. One thread.
class NbdSocket {
 public:
  // Listens at the path. A socket on which no process listens any more was left by a killed server,
  // and is replaced; one that is about to go is waited for. Errors: usage (the path is too long),
  // file_exists (something else is there), device_in_use (somebody listens), permission, io.
  static Result<NbdSocket> listen_at(const std::string& wanted);
  // Removes the socket from the file system, if remove() did not.
  ~NbdSocket();
  NbdSocket(NbdSocket&& other) noexcept;
  NbdSocket& operator=(NbdSocket&& other) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  // Without symbolic links.
  [[nodiscard]] const std::string& path() const { return path_; }
  // No client finds it from here on. Those who have connected stay.
  void remove();

 private:
  NbdSocket(FileDescriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  FileDescriptor fd_;
  std::string path_;  // empty: removed, or moved away
};

}  // namespace dmremap::daemon
