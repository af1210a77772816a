// SPDX-License-Identifier: GPL-2.0-or-later
// The virtual disk as a file: bytes at any offset and of any length, over a disk of whole logical
// blocks.
//
// Invariants
//  - A request is answered whole or with an error, short only at the end of the disk.
//  - Every error is EIO, except EOPNOTSUPP of zeroing, because the kernel then falls back to plain
//    writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "frontend/write_gate.hpp"
#include "remap/disk.hpp"

namespace dmremap::frontend {

// The memory of one request at a time, used for requests that are not whole blocks.
struct Scratch {
  // Aligned to 4096 bytes; the longest request and a unit at each of its ends.
  std::span<std::byte> payload;
  std::span<std::byte> edge;  // aligned to 4096 bytes; one unit
};

// Thread-safe, each request with its own Scratch.
class ByteDisk {
 public:
  // `disk` outlives this object. All that serve one disk at the same time share one `gate`, so that
  // a write of part of a block through one does not undo a write through another.
  explicit ByteDisk(remap::Disk& disk,
                    std::shared_ptr<WriteGate> gate = std::make_shared<WriteGate>());

  struct ReadOutcome {
    int error = 0;  // an errno
    // Lies in the payload. It is shorter than asked at the end of the disk, and empty past it.
    std::span<const std::byte> bytes;
  };
  struct WriteOutcome {
    int error = 0;          // an errno; ENOSPC past the end
    std::size_t bytes = 0;  // less than asked at the end
  };

  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  [[nodiscard]] const io::Geometry& geometry() const { return disk_.geometry(); }

  // Reads into the payload. EINVAL: it is longer than the scratch is made for.
  ReadOutcome read(std::uint64_t offset, std::size_t length, const Scratch& scratch);
  // Like remap::Disk::read_or_later; waits if the request is not whole blocks. `later` may be given
  // any errno.
  std::optional<ReadOutcome> read_or_later(std::uint64_t offset, std::size_t length,
                                           const Scratch& scratch, const remap::Disk::Later& later,
                                           remap::RequestTimer* timer = nullptr);
  // `data` may lie in the payload, which is clobbered.
  // Parts of logical blocks are read, changed and written while no other write of them runs.
  // `timer`: as for remap::Disk; begun with the blocks_of() the request.
  WriteOutcome write(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                     const Scratch& scratch, remap::RequestTimer* timer = nullptr);
  // Zeroes the part of the range that lies on the disk. Returns an errno. On EOPNOTSUPP nothing was
  // changed.
  int write_zeroes(std::uint64_t offset, std::uint64_t length, const Scratch& scratch,
                   remap::RequestTimer* timer = nullptr);
  // All logical blocks of the disk that a request touches.
  [[nodiscard]] SectorRange blocks_of(std::uint64_t offset, std::uint64_t length) const;
  // Like that of remap::Disk. `heard` is the record of the caller of the failed flushes that were
  // reported to it.
  int flush_for(remap::FlushHeard& heard, remap::RequestTimer* timer = nullptr);
  void begin_hearing(remap::FlushHeard& heard) const { disk_.begin_hearing(heard); }

  // Whole logical blocks of the disk, of any length, without a Scratch. Each returns an errno.
  [[nodiscard]] bool is_whole_blocks(std::uint64_t offset, std::uint64_t length) const {
    return ((offset | length) & (unit_bytes_ - 1)) == 0;  // a power of two
  }
  int read_blocks(std::uint64_t offset, std::span<std::byte> out);
  int write_blocks(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                   remap::RequestTimer* timer = nullptr);
  // Discards the blocks that lie whole in the range. No error if the disk cannot discard.
  int discard(std::uint64_t offset, std::uint64_t length, remap::RequestTimer* timer = nullptr);

 private:
  WriteOutcome write_unaligned(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                               const Scratch& scratch, remap::RequestTimer* timer);
  int zero_part_of_unit(std::uint64_t offset, std::uint64_t length, const Scratch& scratch,
                        remap::RequestTimer* timer);

  [[nodiscard]] bool is_too_long(std::size_t length, const Scratch& scratch) const {
    return length + 2 * unit_bytes_ > scratch.payload.size();
  }

  remap::Disk& disk_;
  std::uint64_t unit_bytes_;
  std::uint64_t size_bytes_;
  std::shared_ptr<WriteGate> gate_;
};

}  // namespace dmremap::frontend
