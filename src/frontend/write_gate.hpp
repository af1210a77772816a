// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps aligned writes (shared) away from read-modify-writes (exclusive), which would otherwise
// write back what an aligned write has just replaced.
//
// Invariant: while the bit kAlone is set and the count below it is 0, the one that set it runs, and
// sharers that come wait behind it. A steady stream of sharers cannot starve it: those that come
// once the bit is set do not count.
#pragma once

#include <atomic>
#include <mutex>

namespace dmremap::frontend {

// SharedLockable. A sharer that meets nobody exclusive takes one addition and one subtraction.
class WriteGate {
 public:
  void lock() {
    alone_.lock();
    state_.fetch_or(kAlone);
    for (unsigned now = state_.load(); now != kAlone; now = state_.load()) state_.wait(now);
  }
  void unlock() {
    state_.fetch_and(~kAlone);
    alone_.unlock();
  }

  void lock_shared() {
    if ((state_.fetch_add(1) & kAlone) == 0) [[likely]]
      return;
    unlock_shared();
    const std::lock_guard<std::mutex> behind(alone_);  // nobody has set the bit now
    state_.fetch_add(1);
  }
  void unlock_shared() {
    if (state_.fetch_sub(1) == kAlone + 1) [[unlikely]]
      state_.notify_all();
  }

 private:
  static constexpr unsigned kAlone = 1U << 31U;

  std::atomic<unsigned> state_{0};  // how many share, and the bit
  std::mutex alone_;                // one exclusive at a time
};

}  // namespace dmremap::frontend
