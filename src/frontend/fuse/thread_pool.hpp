// SPDX-License-Identifier: GPL-2.0-or-later
// The threads that take the requests of one file. As many take requests as were needed of late, and
// one more is on standby: made, with its memory, and waiting. Whoever takes its place makes the
// next, so that nothing has to be made when a device hangs.
//
// A thread that is to end leaves the count in the same step that finds another one on standby. Else
// the one that it leaves behind could take a place meanwhile, see one thread too many and make no
// next one: then nobody would be on standby for ever, and nobody would end the others.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "frontend/fuse/operations.hpp"
#include "frontend/fuse/request_memory.hpp"

namespace dmremap::fuse {

// Thread-safe.
class ThreadPool final : public ThreadBalance {
 public:
  // One thread. Its memory is made before it and outlives it.
  class Worker {
   public:
    explicit Worker(std::size_t unit_bytes) : memory(unit_bytes) {}
    RequestMemory memory;

   private:
    friend class ThreadPool;
    std::thread thread_;
    std::atomic<bool> receives_{false};  // waits for a request
    bool in_turn_ = false;               // takes requests; the thread's own
    bool over_ = false;                  // has ended, or is about to; guarded by the mutex
  };

  struct Settings {
    std::string name;                            // of what is served, for the log
    std::size_t unit_bytes = 0;                  // a logical block, for the threads' memory
    std::chrono::milliseconds not_needed{5000};  // after so long without a need a thread ends
  };
  // What a thread does: it takes requests while next() says so, each between waits() and has(). It
  // returns when there will be no more requests for anybody.
  using Body = std::function<void(Worker&)>;

  ThreadPool(Settings settings, Body body);
  // end() was called, or no thread was ever started.
  ~ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Makes between one and `most` threads that take requests as they are needed, or, if `all`, all
  // of them at once, which then stay; and the one on standby. Error: no_memory; end() is due then
  // too.
  Result<void> start(unsigned most, bool all);
  // Ends the threads, with a signal to those that wait for a request, and waits for them.
  void end();

  // For the body. False: the thread is not needed, or is to end. May wait for long before the first
  // request of a thread.
  [[nodiscard]] bool next(Worker& self);
  // The thread waits for a request from now on, interrupted by EINTR when there are too many.
  void waits(Worker& self);
  // The thread has one, or was interrupted.
  void has(Worker& self, bool request);

  void on_stuck() override;
  void on_free() override;

  struct Counts {
    unsigned threads = 0;  // in all
    unsigned standby = 0;  // of these: on standby by now
    unsigned workers = 0;  // threads whose memory is held: these, and some that have just ended
  };
  [[nodiscard]] Counts counts();

 private:
  void run(Worker& self);
  // Under the lock, with which it returns; not while it makes a thread. False: no memory for one.
  bool add_thread(std::unique_lock<std::mutex>& lock);
  void refill_standby(std::unique_lock<std::mutex>& lock);
  // Waits while there are enough threads without the calling one. False: it is not needed.
  bool take_turn(std::unique_lock<std::mutex>& lock);
  void leave_locked(Worker& self);
  // All threads that take requests have one.
  void on_all_busy();
  // Ends threads that were not needed since the last call.
  void shrink(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] bool too_many() const { return serving_.load() > wanted_.load() + stuck_.load(); }
  [[nodiscard]] bool is_ending() const { return stopping_.load() || ended_.load(); }

  Settings settings_;
  Body body_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> ended_{false};    // a body found that there are no more requests
  std::mutex mutex_;                  // guards everything below
  std::condition_variable finished_;  // running_ became 0
  std::condition_variable needed_;    // a thread on standby is
  std::list<Worker> workers_;
  unsigned least_ = 0;  // the range of wanted_
  unsigned most_ = 0;
  bool starting_ = true;                              // the first threads are being made
  std::chrono::steady_clock::time_point next_try_{};  // to make a thread, after one that failed
  unsigned standby_ = 0;
  // Changed under the lock.
  std::atomic<unsigned> running_{0};  // threads in all: with those made and not yet on standby
  std::atomic<unsigned> wanted_{0};   // threads that take requests
  std::atomic<unsigned> serving_{0};  // threads that take requests or have one
  std::atomic<unsigned> stuck_{0};    // of these: with one that was answered for them
  // Changed without it.
  std::atomic<unsigned> receiving_{0};  // threads that wait for a request
  std::atomic<bool> all_busy_{false};   // since the last shrink(), all had one at some time
};

}  // namespace dmremap::fuse
