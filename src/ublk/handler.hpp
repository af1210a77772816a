// SPDX-License-Identifier: GPL-2.0-or-later
// What a program implements to serve a disk by ublk: it is given requests and says what becomes of
// each: answered, answered later, or "the data is there: fetch it".
#pragma once

#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "ublk/buffer_pool.hpp"

namespace dmremap::ublk {

enum class Operation : std::uint8_t { read, write, flush, discard, write_zeroes };

class Queue;

// A request of the kernel. It belongs to its queue and lives until it is answered; the data as
// long, or as long as the lease that answer_early() returns.
class Request {
 public:
  [[nodiscard]] Operation operation() const { return operation_; }
  [[nodiscard]] SectorRange range() const { return range_; }  // empty for a flush
  // Of a write: must be on stable storage before it is answered.
  [[nodiscard]] bool fua() const { return fua_; }
  // Of write_zeroes: the range may be unmapped, too.
  [[nodiscard]] bool may_unmap() const { return may_unmap_; }
  // Of a read: to be filled before it is answered with success. Of a write: the data. Aligned to
  // 4096 bytes; empty for the others.
  [[nodiscard]] std::span<std::byte> data() const { return lease_.data(); }
  // A number that no other request in flight of the same disk has: below queues * depth.
  [[nodiscard]] std::uint32_t slot() const { return slot_; }

  // Any thread, exactly once, and only after begin() or direct_done() of this request has returned
  // Step::later() or is about to. 0, or an errno: the kernel passes on those that its block layer
  // knows (ENODATA, ETIMEDOUT, EILSEQ, ENOSPC, EREMOTEIO, ENODEV ...), else EIO. The request is
  // gone when this returns.
  void answer(int error);
  // As answer(), with an error, while somebody still uses the data, as a device that does not
  // answer: the memory stays in use until the lease is dropped. Also while a direct request is
  // under way.
  [[nodiscard]] BufferPool::Lease answer_early(int error);

 private:
  friend class Queue;
  Queue* queue_ = nullptr;
  Operation operation_ = Operation::flush;
  bool fua_ = false;
  bool may_unmap_ = false;
  std::uint16_t tag_ = 0;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;  // counts the requests that had this tag; the queue's thread
  SectorRange range_;
  BufferPool::Lease lease_;
};

// What is to be done with a request.
struct Step {
  enum class Kind : std::uint8_t { answered, later, direct };
  Kind kind = Kind::later;
  bool durable = false;
  int error = 0;
  int fd = -1;
  std::uint64_t offset = 0;
  void* cookie = nullptr;

  // Done: 0, or an errno.
  [[nodiscard]] static Step answer(int error) { return {.kind = Kind::answered, .error = error}; }
  // Request::answer() comes, or has come.
  [[nodiscard]] static Step later() { return {}; }
  // The queue reads or writes all of the request's data at this byte offset of `fd` in its own
  // ring, and calls direct_done(). `durable`: a write is on stable storage when it is done
  // (RWF_DSYNC). `cookie` comes back as it is. Only of reads and writes.
  [[nodiscard]] static Step direct(int fd, std::uint64_t offset, bool durable = false,
                                   void* cookie = nullptr) {
    return {.kind = Kind::direct, .durable = durable, .fd = fd, .offset = offset, .cookie = cookie};
  }
};

// Called by the threads of the queues, each for its own requests. Must not throw, and not wait:
// nothing else of the queue moves meanwhile.
class Handler {
 public:
  virtual Step begin(Request& request) = 0;
  // The direct request has ended: 0, or the errno of the device; EIO if it moved less than all. As
  // begin(), it says what becomes of the request: another try is possible. `request` is null if it
  // was answered early, and the step is ignored then. If Request::answer() has been or will be
  // called all the same: Step::later().
  virtual Step direct_done(Request* request, void* cookie, int error) = 0;
  // The kernel has the answer to the flush of this slot: a kill does not bring it back any more.
  virtual void flush_told(std::uint32_t /*slot*/) {}

 protected:
  ~Handler() = default;
};

}  // namespace dmremap::ublk
