// SPDX-License-Identifier: GPL-2.0-or-later
// The connected clients, and whether further ones are let in.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "remap/disk.hpp"

namespace dmremap::nbd {

// One connection, and its record of the failed flushes that were reported to it.
struct ConnectedClient {
  explicit ConnectedClient(std::int64_t process) : pid(process) {}

  std::int64_t pid;  // 0: not known (not on this machine)
  remap::FlushHeard heard;
};

// Thread-safe; not used by requests for data.
class Clients {
 public:
  // Returns null if the set is being stopped. The client is passed to leave() later.
  [[nodiscard]] ConnectedClient* enter(std::int64_t pid);
  void leave(ConnectedClient* client);

  // Lets no client in from here on. If a client is connected, it returns false and changes nothing.
  // Waits up to `patience` for clients that are about to leave: a close reaches the server a little
  // after it returned to the client.
  [[nodiscard]] bool close(std::chrono::milliseconds patience);
  // Takes a close() back: clients are let in again.
  void open_again();
  // "1234 qemu-io", "a client elsewhere".
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable left_;
  std::list<ConnectedClient> connected_;
  bool closed_ = false;
};

}  // namespace dmremap::nbd
