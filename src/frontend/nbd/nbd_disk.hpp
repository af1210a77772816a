// SPDX-License-Identifier: GPL-2.0-or-later
// The requests of NBD clients, done by the engine.
//
// Invariants
//  - Requests of whole logical blocks go straight through, without a copy and without memory of
//    their own. Other requests take one of a few scratch slots that are made beforehand, and wait
//    until one is free.
//  - A request is done whole or fails with EIO. Only zero may also fail with EOPNOTSUPP: nothing
//  was
//    changed then, and the server writes zeros instead.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "base/aligned_buffer.hpp"
#include "frontend/byte_disk.hpp"
#include "remap/disk.hpp"

namespace dmremap::nbd {

// The sizes of requests that a server announces, in bytes.
struct BlockSizes {
  std::uint32_t minimum;
  std::uint32_t preferred;
  std::uint32_t maximum;
};

// The flags of a request to zero a range.
struct ZeroOptions {
  bool may_trim = false;  // the range may become a hole
  bool fast = false;      // rather fail than take as long as a write
  bool fua = false;
};

// Thread-safe. Offsets and lengths are bytes inside the disk. All requests return an errno.
class NbdDisk {
 public:
  // `disk` outlives this object. `zeroes_fast`: main zeroes a range without writing it. `gate`: of
  // all front ends of the disk.
  NbdDisk(remap::Disk& disk, bool zeroes_fast,
          std::shared_ptr<frontend::WriteGate> gate = std::make_shared<frontend::WriteGate>());

  [[nodiscard]] std::uint64_t size_bytes() const { return disk_.size_bytes(); }
  [[nodiscard]] BlockSizes block_sizes() const;

  int read(std::uint64_t offset, std::span<std::byte> out) {
    if (disk_.is_whole_blocks(offset, out.size())) [[likely]]
      return disk_.read_blocks(offset, out);
    return read_parts(offset, out);
  }
  // `timer`: as for remap::Disk; begun with the blocks_of() the request.
  int write(std::uint64_t offset, std::span<const std::byte> data, bool fua,
            remap::RequestTimer* timer = nullptr) {
    if (disk_.is_whole_blocks(offset, data.size())) [[likely]]
      return disk_.write_blocks(offset, data, fua, timer);
    return write_parts(offset, data, fua, timer);
  }
  // `heard` belongs to the connection: the clients of several connections are told apart, and each
  // is told of a flush that failed.
  void connect(remap::FlushHeard& heard) const { disk_.begin_hearing(heard); }
  int flush(remap::FlushHeard& heard, remap::RequestTimer* timer = nullptr) {
    return disk_.flush_for(heard, timer);
  }
  int trim(std::uint64_t offset, std::uint64_t length, bool fua, remap::FlushHeard& heard,
           remap::RequestTimer* timer = nullptr);
  // Fails with EOPNOTSUPP over a lost or gone sector, without may_trim (a plain write keeps the
  // range allocated), and if it is asked to be fast and would not be.
  int zero(std::uint64_t offset, std::uint64_t length, ZeroOptions wanted, remap::FlushHeard& heard,
           remap::RequestTimer* timer = nullptr);
  // For timers of requests.
  [[nodiscard]] remap::Disk& engine() const { return engine_; }
  [[nodiscard]] SectorRange blocks_of(std::uint64_t offset, std::uint64_t length) const {
    return disk_.blocks_of(offset, length);
  }

 private:
  // The memory of one request that is not whole blocks.
  struct ScratchSlot {
    AlignedBuffer payload;
    AlignedBuffer edge;
    bool taken = false;
  };
  class ScratchLease;

  int read_parts(std::uint64_t offset, std::span<std::byte> out);
  int write_parts(std::uint64_t offset, std::span<const std::byte> data, bool fua,
                  remap::RequestTimer* timer);
  [[nodiscard]] std::size_t part_at(std::uint64_t offset, std::size_t left) const;

  remap::Disk& engine_;
  frontend::ByteDisk disk_;
  bool zeroes_fast_;
  std::mutex mutex_;  // guards slots_
  std::condition_variable given_back_;
  std::array<ScratchSlot, 4> slots_;
};

}  // namespace dmremap::nbd
