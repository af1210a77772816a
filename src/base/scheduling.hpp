// SPDX-License-Identifier: GPL-2.0-or-later
// Threads, locks and waiting as parameters, so that a simulator can own the order in which things
// happen. The system's are std::thread, std::mutex and std::condition_variable.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace dmremap {

// Thread-safe. Outlives all that was made with it.
class Scheduling {
 public:
  class Lock {
   public:
    virtual ~Lock() = default;
    virtual void lock() = 0;
    virtual void unlock() = 0;
  };
  class Signal {
   public:
    virtual ~Signal() = default;
    // The caller holds `lock`, which was made by the same Scheduling. It is released while waiting.
    // May return for no reason.
    virtual void wait(Lock& lock) = 0;
    // Returns after `longest` at the latest.
    virtual void wait_for(Lock& lock, std::chrono::nanoseconds longest) = 0;
    virtual void notify_one() = 0;
    virtual void notify_all() = 0;
  };
  class Run {
   public:
    virtual ~Run() = default;  // joined before
    virtual void join() = 0;
  };

  virtual ~Scheduling() = default;
  [[nodiscard]] virtual std::unique_ptr<Lock> make_lock() = 0;
  [[nodiscard]] virtual std::unique_ptr<Signal> make_signal() = 0;
  [[nodiscard]] virtual std::unique_ptr<Run> start(std::function<void()> body) = 0;
  // For a thread that polls, because nothing signals what it waits for. `round` counts its calls
  // from 0 and makes the pauses longer.
  virtual void pause(std::size_t round) = 0;
  // A small number for the calling thread. Different threads get different numbers while there are
  // few.
  [[nodiscard]] virtual std::size_t lane() = 0;
  // The time since some fixed moment. It never goes back, and waiting moves it on.
  [[nodiscard]] virtual std::chrono::nanoseconds now() = 0;
};

[[nodiscard]] Scheduling& system_scheduling();

// The following are used like their std:: namesakes.

class Mutex {
 public:
  explicit Mutex(Scheduling& scheduling) : lock_(scheduling.make_lock()) {}
  void lock() { lock_->lock(); }
  void unlock() { lock_->unlock(); }

 private:
  friend class Condition;
  std::unique_ptr<Scheduling::Lock> lock_;
};

class Condition {
 public:
  explicit Condition(Scheduling& scheduling)
      : scheduling_(scheduling), signal_(scheduling.make_signal()) {}

  template <typename Predicate>
  void wait(std::unique_lock<Mutex>& lock, const Predicate& predicate) {
    while (!predicate()) signal_->wait(*lock.mutex()->lock_);
  }
  // Returns the last value of the predicate.
  template <typename Predicate>
  bool wait_for(std::unique_lock<Mutex>& lock, std::chrono::nanoseconds longest,
                const Predicate& predicate) {
    const auto start = scheduling_.now();
    while (!predicate()) {
      const auto waited = scheduling_.now() - start;
      if (waited >= longest) return false;
      signal_->wait_for(*lock.mutex()->lock_, longest - waited);
    }
    return true;
  }
  void notify_one() { signal_->notify_one(); }
  void notify_all() { signal_->notify_all(); }

 private:
  Scheduling& scheduling_;
  std::unique_ptr<Scheduling::Signal> signal_;
};

// Joined before it is destroyed.
class Thread {
 public:
  Thread() = default;
  Thread(Scheduling& scheduling, std::function<void()> body)
      : run_(scheduling.start(std::move(body))) {}

  [[nodiscard]] bool joinable() const { return run_ != nullptr; }
  void join() {
    run_->join();
    run_.reset();
  }

 private:
  std::unique_ptr<Scheduling::Run> run_;
};

}  // namespace dmremap
