// SPDX-License-Identifier: GPL-2.0-or-later
// The engine's face to front ends: a virtual disk of main's size whose bad sectors live on the
// spare.
//
// A front end with threads calls read(), write() and the rest, which return when the request is
// done. One that must not wait, a ring with one thread a queue, begins a request and finishes it:
//
//   begin()   "here is the device and the sector": issue it there as you like, then finish() it
//             with what became of it
//             or nothing: the disk answers later, by Request::done
//   finish()  the answer; or nothing: the device refused, and the disk answers later, too
//
// Both ways are the same code: what is direct for begin() is what a thread would have issued
// itself.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "base/spare_address.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"
#include "table/snapshot.hpp"

namespace dmremap::remap {

// What one of several users has heard of flushes that failed: how many, of each device.
struct FlushHeard {
  std::atomic<std::uint64_t> main{0};
  std::array<std::atomic<std::uint64_t>, kMostSpares> spares{};  // by index
};

// Told of the end of a request that is answered later: exactly once, by any thread, maybe before
// begin() or finish() returns. Lives until then. Must not throw, wait or call the disk.
class Completion {
 public:
  virtual void complete(io::IoStatus status) = 0;

 protected:
  ~Completion() = default;
};

class RequestTimer;

// A request to be begun. Buffers and `done` live until it is answered.
struct Request {
  enum class Kind { read, write, zeroes, discard, flush };
  Kind kind = Kind::read;
  SectorRange range;                     // whole logical blocks; none of a flush
  std::span<std::byte> out = {};         // of a read
  std::span<const std::byte> data = {};  // of a write
  bool fua = false;                      // of a write
  FlushHeard* heard = nullptr;           // of a flush: the account of its user; null: has none
  Completion* done = nullptr;            // where the answer goes if it comes later
  // Begun before. Once it has expired, `done` comes all the same, and has nobody to tell anything;
  // the buffers are in use until then. Null: the user waits for the device.
  RequestTimer* timer = nullptr;
};

// A request that one device can serve as it stands. While it exists, nobody settles the fate of its
// sectors: finish it soon after the device has answered.
class DirectRequest {
 public:
  DirectRequest(const Request& request, io::BlockDevice& device, Sector at, table::Pins::Pin pin,
                std::uint64_t deadline_ns, std::uint64_t sampled_ns)
      : request_(request),
        device_(&device),
        at_(at),
        pin_(std::move(pin)),
        deadline_ns_(deadline_ns),
        sampled_ns_(sampled_ns) {}

  // Where it goes, as long and of the same kind as the request. Lives as long as the disk.
  [[nodiscard]] io::BlockDevice& device() const { return *device_; }
  [[nodiscard]] Sector at() const { return at_; }
  [[nodiscard]] const Request& request() const { return request_; }

 private:
  friend class RequestQueue;
  Request request_;
  io::BlockDevice* device_;
  Sector at_;
  table::Pins::Pin pin_;
  std::uint64_t deadline_ns_;  // as the engine counts it
  std::uint64_t sampled_ns_;   // when it arrived, if its latency is a sample; else 0
};

// Thread-safe.
class Disk {
 public:
  // Main's geometry: the virtual disk has the same.
  [[nodiscard]] virtual const io::Geometry& geometry() const = 0;

  // Requests are multiples of the logical block; buffers aligned to 4096 bytes save a copy. A
  // failed request is EIO to the user whatever the errno here. EOPNOTSUPP: write_zeroes over a lost
  // or gone sector (so that the kernel falls back to plain writes, which heal exactly what they
  // cover), or a device that cannot. EROFS: the set is read-only.
  virtual io::IoStatus read(Sector first, std::span<std::byte> out) = 0;
  // As read, but the caller need not wait while a bad place is asked again: nothing is returned
  // then, `out` is not touched any more, and `later` is called exactly once, by another thread and
  // maybe before this returns, with the data, which is valid during the call, or an error. It must
  // not throw, wait or call the engine. Never called if a status is returned. Until it was called
  // the request is in flight.
  using Later = std::function<void(io::IoStatus, std::span<const std::byte>)>;
  virtual std::optional<io::IoStatus> read_or_later(Sector first, std::span<std::byte> out,
                                                    const Later& /*later*/,
                                                    RequestTimer* /*timer*/ = nullptr) {
    return read(first, out);
  }
  // `timer` here and below: the request's, if it has one (request/request_timer.hpp). What is
  // answered by `later` is claimed before.
  virtual io::IoStatus write(Sector first, std::span<const std::byte> data, bool fua,
                             RequestTimer* timer = nullptr) = 0;
  virtual io::IoStatus write_zeroes(SectorRange range, RequestTimer* timer = nullptr) = 0;
  // Never changes the state of a lost, gone or remapped sector.
  virtual io::IoStatus discard(SectorRange range, RequestTimer* timer = nullptr) = 0;
  // Main's and the spare's caches. Of all who call this one is told of a failure.
  virtual io::IoStatus flush() = 0;
  // As flush, for users that are told apart: each hears once of a failure, whoever was told of it.
  // With a timer: one that was given up has told nobody of what became of it.
  virtual io::IoStatus flush_for(FlushHeard& /*heard*/, RequestTimer* /*timer*/ = nullptr) {
    return flush();
  }
  // For a user who comes now: has heard of what others have been told.
  virtual void begin_hearing(FlushHeard& /*heard*/) const {}

  // See above. Errors of use (a range that is not whole blocks of the disk) are answers, too.
  virtual std::optional<DirectRequest> begin(const Request& request);
  virtual std::optional<io::IoStatus> finish(DirectRequest request, io::IoStatus status);

  // By its constructor and destructor.
  virtual void add_timer(RequestTimer& /*timer*/) {}
  virtual void remove_timer(RequestTimer& /*timer*/) {}

 protected:
  ~Disk() = default;
};

// Does `request` in the calling thread.
[[nodiscard]] io::IoStatus run(Disk& disk, const Request& request);

// Asks the device of `direct` in the calling thread: for one who has no ring to submit it to.
[[nodiscard]] io::IoStatus issue(const DirectRequest& direct);

}  // namespace dmremap::remap
