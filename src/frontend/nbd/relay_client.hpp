// SPDX-License-Identifier: GPL-2.0-or-later
// nbdkit's end of the relay (relay_protocol.hpp): the requests of NBD connections, for the process
// of the set to do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "frontend/nbd/nbd_disk.hpp"
#include "frontend/nbd/relay_protocol.hpp"
#include "os/shared_memory.hpp"

namespace dmremap::nbd {

// What the process of the set tells of its disk.
struct RelayedDisk {
  std::uint64_t size_bytes = 0;
  BlockSizes sizes{};
  bool read_only = false;
};

class RelayConnection;

// The control socket. Thread-safe.
class RelayClient {
 public:
  explicit RelayClient(FileDescriptor control) : control_(std::move(control)) {}

  // Comes before all else. Error not_running: the process of the set is gone; protocol: it is of
  // another version.
  [[nodiscard]] Result<void> greet();
  // What greet() was told.
  [[nodiscard]] const RelayedDisk& disk() const { return disk_; }
  // For a client that has connected. The error is an errno.
  [[nodiscard]] tl::expected<std::unique_ptr<RelayConnection>, int> connect(
      std::int64_t client_pid);
  // For poll(2): hung up once the process of the set is gone.
  [[nodiscard]] int control() const { return control_.get(); }

 private:
  friend class RelayConnection;
  struct Link {
    FileDescriptor socket;
    os::SharedMemory memory;
  };

  ControlAnswer ask(const ControlRequest& request, Link* link);

  FileDescriptor control_;
  std::mutex mutex_;  // one question at a time
  RelayedDisk disk_;
};

// One NBD connection. Thread-safe: as many requests run at once as the process of the set gives
// links. All requests return an errno; ESHUTDOWN: that process is gone.
class RelayConnection {
 public:
  int read(std::uint64_t offset, std::span<std::byte> out);
  int write(std::uint64_t offset, std::span<const std::byte> data, bool fua);
  // Flush, trim and zero.
  int request(const RelayRequest& request);

 private:
  friend class RelayClient;
  using Link = RelayClient::Link;
  class LinkLease;

  RelayConnection(RelayClient& client, std::uint64_t number, Link first);

  [[nodiscard]] std::size_t part_at(std::uint64_t offset, std::size_t left) const;
  // Null if there is none any more.
  std::unique_ptr<Link> take();
  void give_back(std::unique_ptr<Link> link);
  std::unique_ptr<Link> open_further();
  // A link was spent, and another one may take its place.
  void may_have_more();

  RelayClient& client_;
  const std::uint64_t number_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Link>> free_;
  unsigned links_ = 1;         // that are free or taken
  bool may_have_more_ = true;  // the process of the set has refused none since
};

}  // namespace dmremap::nbd
