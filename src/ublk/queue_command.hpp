// SPDX-License-Identifier: GPL-2.0-or-later
// A fetch or a commit as an entry of a ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <liburing.h>

#include "ublk/abi.hpp"

namespace dmremap::ublk {

// `character`: a descriptor of /dev/ublkcN. Sets neither flags nor user data.
inline void prepare(io_uring_sqe& entry, int character, std::uint32_t operation,
                    const abi::QueueCommand& command) {
  constexpr std::size_t kCommandAt = 48;
  io_uring_prep_nop(&entry);  // clears it
  entry.opcode = IORING_OP_URING_CMD;
  entry.fd = character;
  entry.cmd_op = operation;
  std::memcpy(reinterpret_cast<std::byte*>(&entry) + kCommandAt, &command, sizeof command);
}

}  // namespace dmremap::ublk
