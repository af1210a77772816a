// SPDX-License-Identifier: GPL-2.0-or-later
// One nbdkit that relays the requests of its clients to the process of a set, which started it
// (src/daemon/nbd_export.hpp). It holds nothing: when it dies, the set goes on; when the process of
// the set dies, it ends.
#pragma once

#include <optional>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "frontend/nbd/relay_client.hpp"

namespace dmremap::plugin {

// Used by one thread, except the object that client() returns.
class Relay {
 public:
  // Takes one KEY=VALUE of the command line.
  Result<void> configure(const std::string& key, const std::string& value);
  Result<void> configured() const;
  // Comes when nbdkit forks no more, for threads do not survive that.
  Result<void> begin();
  // Comes when no connection is left.
  void end();

  [[nodiscard]] nbd::RelayClient& client() { return *client_; }

 private:
  void watch_set();
  void end_after_set() const;

  std::optional<nbd::RelayClient> client_;
  FileDescriptor ended_;  // readable once end() was called
  std::thread watch_;     // ends nbdkit after the process of the set
};

}  // namespace dmremap::plugin
