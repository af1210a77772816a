// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/scheduling.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <thread>

namespace dmremap {

namespace {

class SystemLock final : public Scheduling::Lock {
 public:
  void lock() override { mutex.lock(); }
  void unlock() override { mutex.unlock(); }
  std::mutex mutex;
};

class SystemSignal final : public Scheduling::Signal {
 public:
  void wait(Scheduling::Lock& lock) override {
    std::unique_lock held(static_cast<SystemLock&>(lock).mutex, std::adopt_lock);
    condition_.wait(held);
    held.release();
  }
  void wait_for(Scheduling::Lock& lock, std::chrono::nanoseconds longest) override {
    std::unique_lock held(static_cast<SystemLock&>(lock).mutex, std::adopt_lock);
    condition_.wait_for(held, longest);
    held.release();
  }
  void notify_one() override { condition_.notify_one(); }
  void notify_all() override { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

class SystemRun final : public Scheduling::Run {
 public:
  explicit SystemRun(std::function<void()> body) : thread_(std::move(body)) {}
  void join() override { thread_.join(); }

 private:
  std::thread thread_;
};

class SystemScheduling final : public Scheduling {
 public:
  std::unique_ptr<Lock> make_lock() override { return std::make_unique<SystemLock>(); }
  std::unique_ptr<Signal> make_signal() override { return std::make_unique<SystemSignal>(); }
  std::unique_ptr<Run> start(std::function<void()> body) override {
    return std::make_unique<SystemRun>(std::move(body));
  }
  void pause(std::size_t round) override {
    if (round < 16) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(
          std::chrono::microseconds(std::min<std::size_t>(round * 5U, 1000U)));
    }
  }
  std::size_t lane() override {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed);
    return mine;
  }
  std::chrono::nanoseconds now() override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
};

}  // namespace

Scheduling& system_scheduling() {
  static SystemScheduling scheduling;
  return scheduling;
}

}  // namespace dmremap
