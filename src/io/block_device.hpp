// SPDX-License-Identifier: GPL-2.0-or-later
// The one door to storage. Everything above reads and writes sectors of a BlockDevice; tests put a
// simulated one behind the same door.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/units.hpp"
#include "io/io_status.hpp"

namespace dmremap::io {

struct Geometry {
  SectorCount size;                          // whole logical blocks
  std::uint32_t logical_block_bytes = 512;   // the smallest request; a power of two, 512 to 65536
  std::uint32_t physical_block_bytes = 512;  // the unit of the medium; >= logical

  [[nodiscard]] SectorCount unit() const { return SectorCount::from_bytes(logical_block_bytes); }
  bool operator==(const Geometry&) const = default;
};

// Requests so far. Relaxed counters: each is right, a set of them is no snapshot.
struct IoCounters {
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};  // writes, zeroes and discards
  std::atomic<std::uint64_t> flushes{0};
  std::atomic<std::uint64_t> read_errors{0};
  std::atomic<std::uint64_t> write_errors{0};  // failed writes, zeroes, discards and flushes
  std::atomic<std::uint64_t> absences{0};      // those of both whose errno says: not there
};

// Some of several requests that go at once; `status` is the answer.
struct ReadOp {
  Sector first;
  std::span<std::byte> out;
  IoStatus status = kIoOk;
};
struct WriteOp {
  Sector first;
  std::span<const std::byte> data;
  IoStatus status = kIoOk;
};

// Thread-safe: any number of requests at once. The public functions check bounds and alignment
// (EINVAL, and nothing is issued) and count; the virtual ones do the work.
//
// A request is whole or failed, never short. After a failed write every sector it covered may hold
// old, new or no readable contents.
class BlockDevice {
 public:
  BlockDevice(const BlockDevice&) = delete;
  BlockDevice& operator=(const BlockDevice&) = delete;
  virtual ~BlockDevice() = default;

  // The size may become larger while others use the device (grow_to); nothing else changes.
  [[nodiscard]] Geometry geometry() const {
    Geometry out = geometry_;
    out.size = size();
    return out;
  }
  // The name of the device for messages. It does not identify it.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const IoCounters& counters() const { return counters_; }

  // `first` and the length are multiples of the logical block. The buffer may have any alignment;
  // one aligned to 4096 bytes saves a copy.
  IoStatus read(Sector first, std::span<std::byte> out);
  // Done means the device has it, not that it is durable: see flush.
  IoStatus write(Sector first, std::span<const std::byte> data);
  // Does as many reads or writes as there are ops, in any order or all at once. On a device that
  // can do them at once, it takes the time of the slowest. Each op gets its own status. The writes
  // of one call may not overlap.
  void read_many(std::span<ReadOp> ops);
  void write_many(std::span<WriteOp> ops);
  // Makes all writes durable that were done before the call, or fails. A failure is final for the
  // writes it covered: a later success says nothing about them.
  IoStatus flush();
  // The range reads as zeros afterwards; the device may unmap it.
  IoStatus write_zeroes(SectorRange range);
  // The contents of the range are of no more interest; they may stay.
  IoStatus discard(SectorRange range);

  // For a caller that reads and writes in a ring of its own: the descriptor on which it may do so
  // at the byte offsets of this device, with buffers aligned to 4096 bytes. -1: not now, or not at
  // all; then read() and write() are to be used. `written`: what a write would change; empty for a
  // read. Each such request is told of by count_issued() when it has ended.
  [[nodiscard]] virtual int descriptor_for(SectorRange /*written*/) const { return -1; }
  void count_issued(bool is_write, IoStatus status);
  // True if reads and writes are copies in memory, for which nobody need make a thread wait.
  [[nodiscard]] virtual bool lies_in_memory() const { return false; }

 protected:
  BlockDevice(std::string path, const Geometry& geometry);
  // May be called only before the device is given to other code.
  void set_geometry(const Geometry& geometry) {
    geometry_ = geometry;
    size_.store(geometry.size.value, std::memory_order_relaxed);
  }
  // Serves sectors up to `size` from now on, whoever uses the device. Thread-safe. Requires whole
  // logical blocks; never makes it smaller.
  void grow_to(SectorCount size);

 private:
  [[nodiscard]] SectorCount size() const { return {size_.load(std::memory_order_relaxed)}; }
  virtual IoStatus do_read(Sector first, std::span<std::byte> out) = 0;
  virtual IoStatus do_write(Sector first, std::span<const std::byte> data) = 0;
  // Skips ops whose status is not ok. The default does the ops one after another, in the order
  // given.
  virtual void do_read_many(std::span<ReadOp> ops);
  virtual void do_write_many(std::span<WriteOp> ops);
  virtual IoStatus do_flush() = 0;
  virtual IoStatus do_write_zeroes(SectorRange range) = 0;
  virtual IoStatus do_discard(SectorRange range) = 0;

  [[nodiscard]] bool fits(Sector first, std::uint64_t bytes) const;
  // Of a request that was issued and failed.
  void count_error(std::atomic<std::uint64_t>& counter, IoStatus status);

  std::string path_;
  Geometry geometry_;  // as it was at first: its size now is size_
  std::atomic<std::uint64_t> size_;
  IoCounters counters_;
};

}  // namespace dmremap::io
