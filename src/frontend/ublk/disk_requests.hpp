// SPDX-License-Identifier: GPL-2.0-or-later
// The requests of a ublk disk over the engine: what the engine calls clean is issued in the ring of
// the queue that brought it, everything else is done by threads and answered later.
//
//   reads, writes    begun with the engine, which says where they go; or it answers later
//   FUA, flushes     by the engine's threads
//   zeroes, discards by threads here: the kernel's calls for them wait
//   too many         by threads here: each request in a ring keeps a pin of the engine's table, of
//                    which there is a limited number, and no queue may wait for one
//
// Flushes go one after another, the next one when the kernel has the answer to the one before. The
// engine takes the doubt that a failed flush leaves (table/unflushed_writes.hpp) for settled when
// the next flush is good, since it has told of the failure; but as long as that word has not
// reached the kernel, a kill would lose it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "frontend/ublk/work_threads.hpp"
#include "frontend/write_gate.hpp"
#include "remap/disk.hpp"
#include "remap/request/request_timer.hpp"
#include "ublk/buffer_pool.hpp"
#include "ublk/handler.hpp"

namespace dmremap::frontend {

// What the kernel asks for.
struct KernelRequest {
  ublk::Operation operation = ublk::Operation::flush;
  SectorRange range;            // empty for a flush
  bool fua = false;             // of a write
  std::span<std::byte> data{};  // of reads and writes
  std::uint32_t slot = 0;       // no other request that is not answered has it
};

// Where the answer goes if it comes later: to ublk::Request, but for tests. Any thread.
class Reply {
 public:
  // 0 or an errno. The slot may be used again at once.
  virtual void answer(int error) = 0;
  // With an error, while a device still uses the data: the memory stays until the lease is dropped.
  [[nodiscard]] virtual ublk::BufferPool::Lease answer_early(int error) = 0;

 protected:
  ~Reply() = default;
};

// begin(), direct_done() and flush_told() never wait. Thread-safe, but for the calls of one slot.
class DiskRequests {
 public:
  struct Options {
    unsigned slots = 0;  // that requests may have: 0 to slots - 1
    // Of all front ends of the disk, if there are others.
    std::shared_ptr<WriteGate> gate{};
    // This device had users already when this process began (UnflushedLeft): what was told before
    // is not taken for told to them.
    bool taken_over = false;
    unsigned threads = 4;
    unsigned most_direct = 160;  // in the rings at the same time; below table::Pins::kSlots
  };

  // `disk` outlives this.
  DiskRequests(remap::Disk& disk, const Options& options);
  DiskRequests(const DiskRequests&) = delete;
  DiskRequests& operator=(const DiskRequests&) = delete;
  // Calls settle().
  ~DiskRequests();

  // `reply` lives until it is answered. Step::later(): it is used, or has been.
  [[nodiscard]] ublk::Step begin(const KernelRequest& request, Reply& reply);
  // As ublk::Handler::direct_done; `cookie` is that of the step.
  [[nodiscard]] ublk::Step direct_done(void* cookie, int error);
  // The kernel has the answer to the flush of this slot.
  void flush_told(std::uint32_t slot);

  // From now on requests are kept for good; waits for those that were begun, however long a device
  // has them, as it may those that were answered at their deadlines. Afterwards no thread but those
  // of the queues calls a reply. A flush that waits for flush_told() is not waited for.
  void settle();

  // From now on requests are kept and not begun; waits for those that were begun. True: all of them
  // are answered, no device has one, and no thread but those of the queues is in a reply: the
  // queues may end. False after `at_most`: call release().
  [[nodiscard]] bool hold(std::chrono::milliseconds at_most);
  // What becomes of requests that change the disk, those that were kept and those that come.
  enum class Changes : std::uint8_t { begun, kept, refused };
  // Begins what was kept, but for changes unless they are to be begun: those stay kept until the
  // next release, or are answered with EIO.
  void release(Changes changes = Changes::begun);
  // How many requests are kept now.
  [[nodiscard]] std::size_t kept() const;

 private:
  class State;
  struct Kept {
    KernelRequest request;
    Reply* reply = nullptr;
  };
  enum class Holding : std::uint8_t { nothing, changes, refused_changes, all };
  enum class Fate : std::uint8_t { begun, kept, refused };

  [[nodiscard]] Fate fate_of(ublk::Operation operation) const;
  // Keeps it, if that is its fate, and else counts it as begun.
  Fate take(const KernelRequest& request, Reply& reply);
  void count_ended(std::uint32_t slot);
  [[nodiscard]] bool have_ended() const;
  State& state_for(std::uint32_t slot);
  ublk::Step issue(State& state, remap::DirectRequest direct);
  std::optional<int> finish_direct(State& state, io::IoStatus status);
  ublk::Step direct_step(State& state, io::IoStatus status);
  void answer(Reply& reply, std::uint32_t slot, int error);
  // The answer for the kernel; nothing if it has had one at the deadline.
  std::optional<int> end(State& state, io::IoStatus status);
  void uncount(State& state);
  void complete(State& state, io::IoStatus status);
  void work(State& state);
  ublk::Step begin_flush(State& state);
  void end_flush(State& state, bool answered);
  void begin_next_flush(std::unique_lock<std::mutex> lock);

  remap::Disk& disk_;
  const Options options_;
  remap::FlushHeard heard_;
  std::atomic<unsigned> direct_{0};  // requests that have a pin of the engine's
  // By slot: begun, and the answer is not given to the reply. Two if the slot is used again before
  // the thread that answered has come back from there. By slot, so that no two queues share a line.
  std::vector<std::atomic<unsigned>> begun_;
  std::atomic<Holding> holding_{Holding::nothing};
  // Answered at their deadline, and a device still has them. Raised by the thread of the timers,
  // which must not wait for the mutex.
  std::atomic<std::size_t> overdue_{0};
  std::deque<State> states_;     // never moved
  std::vector<State*> by_slot_;  // each entry belongs to the thread of its slot's queue

  mutable std::mutex mutex_;  // guards the rest, and the members of State that say so
  std::vector<State*> spare_states_;
  State* flushing_ = nullptr;
  bool flush_answered_ = false;  // of flushing_: only the kernel has yet to take it
  ItemList<State> waiting_flushes_;
  std::vector<Kept> kept_;  // room for every slot

  WorkThreads<State> threads_;  // end first
};

}  // namespace dmremap::frontend
