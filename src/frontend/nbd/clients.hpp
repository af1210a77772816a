// SPDX-License-Identifier: GPL-2.0-or-later
// Who is connected, and whether anybody may still come.
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

struct Client {
  explicit Client(std::int64_t process) : pid(process) {}

  std::int64_t pid;  // 0: not known (not on this machine)
  remap::FlushHeard heard;
};

// Thread-safe; not on the way of any request.
class Clients {
 public:
  // Null: the set is being stopped. What is returned is for leave().
  [[nodiscard]] Client* enter(std::int64_t pid);
  void leave(Client* client);

  // From here on nobody enters; refused, and nothing is changed, while anybody is connected. Waits
  // for who is about to leave: a client's close reaches the server a little after it returned.
  [[nodiscard]] bool close(std::chrono::milliseconds patience);
  // "1234 qemu-io", "a client elsewhere".
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable left_;
  std::list<Client> connected_;
  bool closed_ = false;
};

}  // namespace dmremap::nbd
