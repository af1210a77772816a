// SPDX-License-Identifier: GPL-2.0-or-later
// The engine as a file: bytes at any offset and of any length, over a disk of whole logical blocks.
//
// Invariants
//  - A request is answered whole or with an error, never short but at the end of the disk.
//  - An error is EIO whatever failed below; only EOPNOTSUPP of zeroing passes, because the kernel
//    then falls back to plain writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "frontend/fuse/request_memory.hpp"
#include "frontend/fuse/write_gate.hpp"
#include "remap/engine.hpp"

namespace dmremap::fuse {

// Thread-safe, each thread with its own RequestMemory.
class ByteDisk {
 public:
  // `engine` outlives this object.
  explicit ByteDisk(remap::Engine& engine);

  struct ReadOutcome {
    int error = 0;                     // an errno
    std::span<const std::byte> bytes;  // in `memory`; shorter than asked at the end, empty past it
  };
  struct WriteOutcome {
    int error = 0;          // an errno; ENOSPC past the end
    std::size_t bytes = 0;  // less than asked at the end
  };

  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] const io::Geometry& geometry() const { return engine_.geometry(); }

  // `length` is at most kMaxRequestBytes.
  ReadOutcome read(std::uint64_t offset, std::size_t length, RequestMemory& memory);
  // As remap::Engine::read_or_later; waits for what is not whole blocks. `later` may be given any
  // errno.
  std::optional<ReadOutcome> read_or_later(std::uint64_t offset, std::size_t length,
                                           RequestMemory& memory,
                                           const remap::Engine::Later& later);
  // `data` is at most kMaxRequestBytes and may lie in the payload of `memory`, which is clobbered.
  // Parts of logical blocks are read, changed and written while no other write runs.
  WriteOutcome write(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                     RequestMemory& memory);
  // What of the range lies on the disk reads as zeros afterwards. Returns an errno. On EOPNOTSUPP
  // nothing was changed.
  int write_zeroes(std::uint64_t offset, std::uint64_t length, RequestMemory& memory);
  int flush();

 private:
  WriteOutcome write_unaligned(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                               RequestMemory& memory);
  int zero_part_of_unit(std::uint64_t offset, std::uint64_t length, RequestMemory& memory);

  remap::Engine& engine_;
  std::uint64_t unit_bytes_;
  std::uint64_t size_bytes_;
  WriteGate gate_;
};

}  // namespace dmremap::fuse
