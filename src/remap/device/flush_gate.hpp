// SPDX-License-Identifier: GPL-2.0-or-later
// The flushes of one device. A flush that fails is final for what it covered, and the kernel tells
// only one caller; so a later success must not be taken as word about writes before it, whoever
// asked for the one that failed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include "base/scheduling.hpp"
#include "io/io_status.hpp"

namespace dmremap::remap {

// Thread-safe.
class FlushGate {
 public:
  explicit FlushGate(Scheduling& scheduling) : mutex_(scheduling) {}

  // A point in time, as far as failures go.
  using Mark = std::uint64_t;
  // Take it before the first write that a flush shall make durable.
  [[nodiscard]] Mark mark() const { return failures_.load(); }

  // `flush` reaches the device. Fails if it fails, or if any flush failed since the mark.
  io::IoStatus flush_since(Mark since, const std::function<io::IoStatus()>& flush);
  // A flush for a user that has heard of the failures up to `heard`: fails if there was one since.
  // `only_if_written`: skip the device if nothing was written since its last good flush.
  struct UserFlush {
    io::IoStatus status;
    Mark failures = 0;  // that the status speaks of
  };
  UserFlush user_flush(Mark heard, bool only_if_written,
                       const std::function<io::IoStatus()>& flush);
  // The failures that some user has heard of. A user that comes now begins with these, and users
  // that are not told apart share them.
  [[nodiscard]] Mark reported() const { return reported_.load(); }
  // A user is about to be told of them.
  void told(Mark failures) { raise(reported_, failures); }
  // The same for a user with a record of its own of what it has `heard`.
  void told(Mark failures, std::atomic<Mark>& heard) {
    told(failures);
    raise(heard, failures);
  }

  // Something was written: call before the write is acknowledged.
  void written() {
    if (!written_.load(std::memory_order_relaxed)) written_.store(true);
  }
  // True if something was written that no good flush has covered since.
  [[nodiscard]] bool is_unflushed() const { return written_.load() || flushing_.load(); }
  // True if a flush failed and the failure has not been reported to any user yet.
  [[nodiscard]] bool failed_untold() const { return failures_.load() != reported_.load(); }
  // What was written up to now may not be durable, whatever later flushes say.
  void fail(int error);

  // No flush runs while this is locked (a metadata commit does its own).
  [[nodiscard]] std::unique_lock<Mutex> exclusive() { return std::unique_lock(mutex_); }

 private:
  // Two users, or two flushes of one, may end in any order: the later failure stays.
  static void raise(std::atomic<Mark>& mark, Mark failures);
  io::IoStatus flush_locked(Mark since, const std::function<io::IoStatus()>& flush);

  Mutex mutex_;
  std::atomic<Mark> failures_{0};
  std::atomic<bool> written_{false};   // since the last flush began
  std::atomic<bool> flushing_{false};  // a flush is under way, of something written
  std::atomic<Mark> reported_{0};      // failures that users know of
  std::atomic<int> last_error_{0};
};

}  // namespace dmremap::remap
