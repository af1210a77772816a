// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps aligned writes (shared) away from read-modify-writes (exclusive), which would otherwise
// write back what an aligned write has just replaced.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>

namespace dmremap::frontend {

// SharedLockable. Unlike std::shared_mutex of glibc, a steady stream of sharers cannot starve an
// exclusive one: while one waits, sharers that come later queue behind it.
class WriteGate {
 public:
  void lock() {
    waiting_.fetch_add(1);
    {
      const std::lock_guard<std::mutex> first(turnstile_);
      gate_.lock();
    }
    waiting_.fetch_sub(1);
  }
  void unlock() { gate_.unlock(); }

  void lock_shared() {
    // Missing a waiter that has just come costs it one more request's time, no more.
    if (waiting_.load(std::memory_order_relaxed) != 0) {
      const std::lock_guard<std::mutex> behind(turnstile_);
    }
    gate_.lock_shared();
  }
  void unlock_shared() { gate_.unlock_shared(); }

 private:
  std::shared_mutex gate_;
  std::mutex turnstile_;
  std::atomic<unsigned> waiting_{0};
};

}  // namespace dmremap::frontend
