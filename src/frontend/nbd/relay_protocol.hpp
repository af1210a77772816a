// SPDX-License-Identifier: GPL-2.0-or-later
// The messages between nbdkit, in which a plugin relays the requests of NBD clients, and the
// process that runs the set. Both run on one machine and come from one build; nothing of this is
// stored.
//
// One pair of sockets, the control socket, lives as long as nbdkit. Over it the plugin says hello,
// and asks for links: each is a pair of sockets and a piece of shared memory, and carries one
// request at a time. The data of a request lies at the beginning of the memory.
//
// The process of the set believes nothing of what it receives: nbdkit speaks with strangers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.hpp"

namespace dmremap::nbd {

// Of a plugin and a process of the set that were installed at different times.
inline constexpr std::uint32_t kRelayVersion = 1;

// The memory of a link, and the longest read or write. The plugin cuts longer ones into parts.
inline constexpr std::size_t kRelayBufferBytes = kMiB;

// On the control socket, from the plugin. Each is answered.
struct ControlRequest {
  enum class Kind : std::uint32_t {
    hello = 1,
    open_connection,  // for a client who comes now; the answer has the first link
    open_link,        // a further one, for requests that run at the same time
  };
  Kind kind = Kind::hello;
  std::uint32_t version = kRelayVersion;
  std::uint64_t connection = 0;  // of open_link
  std::int64_t client_pid = 0;   // of open_connection; 0: not known
};

// To the plugin. With a link come two descriptors: its socket, and its memory.
struct ControlAnswer {
  std::int32_t error = 0;  // an errno: ESHUTDOWN: the set is being stopped; EAGAIN: no more links
  std::uint32_t read_only = 0;   // of hello, as all the rest
  std::uint64_t connection = 0;  // of open_connection
  std::uint64_t size_bytes = 0;
  std::uint32_t minimum_block = 0;
  std::uint32_t preferred_block = 0;
  std::uint32_t maximum_block = 0;
  std::uint32_t version = kRelayVersion;
};

// On a link, from the plugin. Each is answered with an errno.
struct RelayRequest {
  enum class Operation : std::uint32_t { read = 1, write, flush, trim, zero };
  enum Flag : std::uint32_t { kFua = 1, kMayTrim = 2, kFastZero = 4 };
  static constexpr std::uint32_t kAllFlags = kFua | kMayTrim | kFastZero;

  Operation operation = Operation::read;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;  // bytes; 0 of a flush
  std::uint32_t length = 0;  // bytes; 0 of a flush
  std::uint32_t reserved = 0;
};

struct RelayAnswer {
  std::int32_t error = 0;  // an errno
  // Not 0: a device did not answer the request in time and still has the memory of the link.
  // Nothing more is done on that link.
  std::uint32_t spent = 0;
};

}  // namespace dmremap::nbd
