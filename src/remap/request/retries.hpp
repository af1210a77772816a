// SPDX-License-Identifier: GPL-2.0-or-later
// A few threads that ask failed reads again, so that a request is answered by its deadline however
// long the drive takes, and bad sectors cannot occupy all threads of a front end: a front end that
// takes its answers later waits for nothing. Once a request was answered because its deadline
// passed, its reads end after the block in hand. If nothing was found out by then, its sectors are
// read once more when a thread has time, so that the next request for them need not wait in vain.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "remap/request/recovery.hpp"

namespace dmremap::remap {

// A part of a request that failed to read.
struct UnreadPart {
  SectorRange range;         // whole units
  std::span<std::byte> out;  // the request's own
};

class Retries {
 public:
  // Starts the first thread, and others while there is work for them; all of them at once where a
  // later start could wait for the disk itself (os::is_io_flusher). `path` and `recovery` outlive
  // this.
  Retries(DataPath& path, Recovery& recovery);
  ~Retries();

  // Waits until all is read or settled, or until the deadline: then ETIMEDOUT. The caller has no
  // pin.
  io::IoStatus read(std::span<const UnreadPart> parts, std::uint64_t deadline_ns);

  // What a thread's buffer takes.
  static constexpr SectorCount kLongest{2048};
  // Reads the whole range, at most kLongest, from wherever it is, and has `later` called as
  // Disk::read_or_later says, by the deadline; past it already: returns ETIMEDOUT instead. Reads
  // of what somebody watches may come here too.
  std::optional<io::IoStatus> read_later(SectorRange range, std::uint64_t deadline_ns,
                                         const Disk::Later& later);

  // No request is in flight or comes after.
  void stop();

 private:
  struct RetryTask {
    std::vector<UnreadPart> parts;  // of one that is answered later: all of it, and no memory
    Disk::Later later;              // none: somebody waits
    std::uint64_t until_ns = 0;
    io::IoStatus status;
    bool done = false;
    bool abandoned = false;  // was answered without: the parts' buffers are gone
    // The deadline passed before anything was found out: the drive took as long to fail for the
    // first time, or all threads had others. Nobody waits, but what is not found out now may never
    // be.
    bool late = false;
  };
  using RetryTasks = std::deque<std::shared_ptr<RetryTask>>;

  // A read that was answered with an error at its deadline while it is still looked into: an event
  // tells of it, since its user has waited in vain and nothing is known of the sectors yet.
  struct GivenUp {
    SectorRange range;
    std::uint64_t told_ns = 0;
  };
  void note_given_up_locked(SectorRange range);
  // Emits what was noted. Without the lock, for whoever takes the event may wait for a log.
  void tell_given_up(std::unique_lock<Mutex>& lock);

  bool add_locked(const std::shared_ptr<RetryTask>& task, std::uint64_t deadline_ns);
  void add_thread(std::unique_lock<Mutex>& lock);
  void loop(std::span<std::byte> buffer);
  void put_off_locked(const RetryTask& task);
  void expire_locked(const std::shared_ptr<RetryTask>& task);
  [[nodiscard]] bool found_out(const RetryTask& task) const;
  [[nodiscard]] bool ready_locked(const RetryTask& task) const;
  std::shared_ptr<RetryTask> take_locked();
  void watch_deadlines();
  void work_for_later(RetryTask& task, std::span<std::byte> buffer);
  void work(RetryTask& task, std::span<std::byte> buffer);
  [[nodiscard]] bool wanted(const RetryTask& task);

  DataPath& path_;
  Recovery& recovery_;
  Mutex mutex_;
  Condition wake_;
  Condition finished_;
  Condition timer_wake_;
  RetryTasks waiting_;
  RetryTasks running_;
  RetryTasks owed_;                               // to be answered later, and not answered yet
  std::optional<SectorRange> given_up_;           // to be told of; of several the first
  std::deque<GivenUp> told_;                      // the last ones, which are not told of again soon
  std::uint64_t soonest_ns_ = ~std::uint64_t{0};  // what the timer waits for
  bool stopping_ = false;
  std::vector<AlignedBuffer> buffers_;  // one a thread
  std::vector<Thread> threads_;
  std::size_t most_threads_;  // fewer than are wanted once one could not be made
  bool adding_ = false;       // another thread
  Thread timer_;
};

}  // namespace dmremap::remap
