// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/clients.hpp"

#include <fmt/format.h>

#include "os/sysfs.hpp"

namespace dmremap::nbd {

ConnectedClient* Clients::enter(std::int64_t pid) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return nullptr;
  return &connected_.emplace_back(pid);
}

void Clients::leave(ConnectedClient* client) {
  const std::lock_guard<std::mutex> lock(mutex_);
  connected_.remove_if([&](const ConnectedClient& other) { return &other == client; });
  left_.notify_all();
}

bool Clients::close(std::chrono::milliseconds patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!left_.wait_for(lock, patience, [this] { return connected_.empty(); })) return false;
  closed_ = true;
  return true;
}

void Clients::open_again() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = false;
}

std::vector<std::string> Clients::names() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> names;
  for (const ConnectedClient& client : connected_) {
    names.push_back(client.pid > 0
                        ? fmt::format("{} {}", client.pid,
                                      os::read_attribute(fmt::format("/proc/{}/comm", client.pid)))
                        : std::string("a client elsewhere"));
  }
  return names;
}

}  // namespace dmremap::nbd
