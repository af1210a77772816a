// SPDX-License-Identifier: GPL-2.0-or-later
// The process of the set's end of the relay (relay_protocol.hpp): one thread for each link does its
// requests, one after the other.
//
// Invariants
//  - What nbdkit sends is checked before anything is done. A message that is no request ends the
//    link; a request that reaches beyond the disk or the memory of the link is refused.
//  - No thread waits for nbdkit while a request is under way, and none for its answer to be read. A
//    request whose client or server is gone is done to its end; then its link ends.
//  - A request that a device does not answer by its deadline is answered for it (remap/request/
//    request_timer.hpp). Its link is spent then: the device still has its memory, and its thread
//    waits. The other side goes on with another link.
//  - Memory and threads are bounded (kMostLinks), however many clients there are.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <thread>

#include "base/file_descriptor.hpp"
#include "frontend/nbd/clients.hpp"
#include "frontend/nbd/nbd_disk.hpp"
#include "frontend/nbd/relay_protocol.hpp"
#include "os/shared_memory.hpp"
#include "remap/request/request_timer.hpp"

namespace dmremap::nbd {

// Used by one thread; the links have threads of their own.
class RelayServer {
 public:
  // Each has kRelayBufferBytes of memory, which is locked with the rest of the process, and a
  // thread.
  static constexpr std::size_t kMostLinks = 128;
  // Of these the last are kept for new clients: those that are connected go on with the links that
  // they have.
  static constexpr std::size_t kMostFurtherLinks = 64;

  // Both outlive this object.
  RelayServer(NbdDisk& disk, Clients& clients, bool read_only);
  ~RelayServer();  // end()
  RelayServer(const RelayServer&) = delete;
  RelayServer& operator=(const RelayServer&) = delete;

  // Receives a request from a control socket that has something to read, and answers it. False if
  // nbdkit is gone, or talks nonsense.
  [[nodiscard]] bool answer(int control);
  // True once a plugin of this version has said hello and was told what the disk is.
  [[nodiscard]] bool has_greeted() const { return has_greeted_; }
  // For a new nbdkit. Links of the one before end by themselves.
  void expect_hello() { has_greeted_ = false; }
  // Ends all links, and waits until each of their requests is done or was given up at its deadline:
  // nothing of them can come after what is written from then on.
  void settle();
  // The same, and waits for the devices too.
  void end();

 private:
  // One NBD connection, as long as one of its links.
  struct Connection;
  struct Link;
  // The other side's end of a link; empty if none is opened.
  struct PassedLink {
    FileDescriptor socket;
    FileDescriptor memory;
  };

  ControlAnswer answer_to(const ControlRequest& request, PassedLink& passed);
  ControlAnswer open_link(std::shared_ptr<Connection> connection, PassedLink& passed);
  void serve(Link& link);
  int perform(const RelayRequest& request, Link& link, remap::RequestTimer& timer);
  void forget_ended_links();

  NbdDisk& disk_;
  Clients& clients_;
  const bool read_only_;
  bool has_greeted_ = false;
  std::uint64_t last_connection_ = 0;
  std::map<std::uint64_t, std::weak_ptr<Connection>> connections_;
  std::list<Link> links_;
};

}  // namespace dmremap::nbd
