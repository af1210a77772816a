// SPDX-License-Identifier: GPL-2.0-or-later
// What an NBD client asks for, over the engine.
//
// Invariants
//  - Requests of whole logical blocks go straight through: no copy, no memory of ours. What is not
//    whole blocks takes one of a few scratches that are made beforehand, and waits for it.
//  - A request is done whole or fails with EIO. Only zero may say EOPNOTSUPP besides: nothing was
//    changed then, and the server writes zeros instead.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "base/aligned_buffer.hpp"
#include "frontend/byte_disk.hpp"
#include "remap/disk.hpp"

namespace dmremap::nbd {

// What a server says about the sizes of requests, in bytes.
struct BlockSizes {
  std::uint32_t minimum;
  std::uint32_t preferred;
  std::uint32_t maximum;
};

struct ZeroWanted {
  bool may_trim = false;  // the range may become a hole
  bool fast = false;      // rather fail than take as long as a write
  bool fua = false;
};

// Thread-safe. Offsets and lengths are bytes inside the disk. All requests return an errno.
class NbdDisk {
 public:
  // `disk` outlives this object. `zeroes_fast`: main zeroes a range without writing it.
  NbdDisk(remap::Disk& disk, bool zeroes_fast);

  [[nodiscard]] std::uint64_t size_bytes() const { return disk_.size_bytes(); }
  [[nodiscard]] BlockSizes block_sizes() const;

  int read(std::uint64_t offset, std::span<std::byte> out) {
    if (disk_.is_whole_blocks(offset, out.size())) [[likely]]
      return disk_.read_blocks(offset, out);
    return read_parts(offset, out);
  }
  int write(std::uint64_t offset, std::span<const std::byte> data, bool fua) {
    if (disk_.is_whole_blocks(offset, data.size())) [[likely]]
      return disk_.write_blocks(offset, data, fua);
    return write_parts(offset, data, fua);
  }
  // `heard` is the connection's: the clients of several are told apart, and each hears of a flush
  // that failed.
  void connect(remap::FlushHeard& heard) const { disk_.begin_hearing(heard); }
  int flush(remap::FlushHeard& heard) { return disk_.flush_for(heard); }
  int trim(std::uint64_t offset, std::uint64_t length, bool fua, remap::FlushHeard& heard);
  // EOPNOTSUPP over a lost or gone sector, without may_trim (a plain write keeps the range
  // allocated), and of a fast one that would not be.
  int zero(std::uint64_t offset, std::uint64_t length, ZeroWanted wanted, remap::FlushHeard& heard);

 private:
  struct Place {
    AlignedBuffer payload;
    AlignedBuffer edge;
    bool taken = false;
  };
  class Lease;

  int read_parts(std::uint64_t offset, std::span<std::byte> out);
  int write_parts(std::uint64_t offset, std::span<const std::byte> data, bool fua);
  [[nodiscard]] std::size_t part_at(std::uint64_t offset, std::size_t left) const;

  frontend::ByteDisk disk_;
  bool zeroes_fast_;
  std::mutex mutex_;  // of places_
  std::condition_variable given_back_;
  std::array<Place, 4> places_;
};

}  // namespace dmremap::nbd
