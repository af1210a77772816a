// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/fuse/thread_pool.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <signal.h>

#include "base/log.hpp"
#include "base/thread_name.hpp"

namespace dmremap::fuse {

namespace {

using std::chrono::steady_clock;

// Of which some may wait for a device that hangs. Beyond it requests wait for them in the kernel.
constexpr unsigned kMostThreads = 64;

// Interrupts a thread that waits for a request; nothing else in the process uses it.
int wake_signal() {
  return SIGRTMIN + 7;
}

void install_wake_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: read(2) must return
  ::sigaction(wake_signal(), &action, nullptr);
}

}  // namespace

ThreadPool::ThreadPool(Settings settings, Body body)
    : settings_(std::move(settings)), body_(std::move(body)) {}

Result<void> ThreadPool::start(unsigned most, bool all) {
  install_wake_signal();
  std::unique_lock<std::mutex> lock(mutex_);
  most_ = std::max(most, 1U);
  least_ = all ? most_ : 1;
  wanted_ = least_;
  for (unsigned i = 0; i < least_ + 1; ++i) {
    if (!add_thread(lock)) {
      return fail(ErrorCode::no_memory, "too few threads can be started", settings_.name);
    }
  }
  starting_ = false;
  // Whoever was made to be on standby may have a request by now.
  refill_standby(lock);
  return {};
}

void ThreadPool::run(Worker& self) {
  name_this_thread("fuse");
  // Signals to the process are handled by other threads; only the wake signal may reach this one.
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, wake_signal());
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);

  body_(self);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (self.over_) return;
  // It ended by itself.
  ended_.store(true);
  if (self.in_turn_) serving_.fetch_sub(1);
  leave_locked(self);
}

void ThreadPool::leave_locked(Worker& self) {
  running_.fetch_sub(1);
  self.over_ = true;
  finished_.notify_all();
  if (is_ending()) needed_.notify_all();
}

bool ThreadPool::next(Worker& self) {
  if (self.in_turn_ && !too_many() && !stopping_.load()) return true;
  std::unique_lock<std::mutex> lock(mutex_);
  if (self.in_turn_) serving_.fetch_sub(1);
  self.in_turn_ = take_turn(lock);
  // Before anybody else can look: see above.
  if (!self.in_turn_) leave_locked(self);
  return self.in_turn_;
}

void ThreadPool::waits(Worker& self) {
  self.receives_.store(true);
  receiving_.fetch_add(1, std::memory_order_relaxed);
}

void ThreadPool::has(Worker& self, bool request) {
  const bool is_last = receiving_.fetch_sub(1, std::memory_order_relaxed) == 1;
  self.receives_.store(false);
  if (request && is_last) on_all_busy();
}

// Without the lock, because memory may be short, and threads that serve requests take it.
bool ThreadPool::add_thread(std::unique_lock<std::mutex>& lock) {
  running_.fetch_add(1);
  lock.unlock();
  std::list<Worker> made;
  try {
    Worker& worker = made.emplace_back(settings_.unit_bytes);
    worker.thread_ = std::thread([this, &worker] { run(worker); });
  } catch (const std::exception& error) {
    made.clear();
    log(Severity::warning,
        fmt::format("no more threads to serve {}: {}", settings_.name, error.what()));
  }
  lock.lock();
  const bool is_made = !made.empty();
  if (!is_made) running_.fetch_sub(1);
  workers_.splice(workers_.end(), made);
  return is_made;
}

// Those that were made and have not come to take_turn() yet are on standby too. After one that
// could not be made, whoever takes the last place tries again, once a second at most.
void ThreadPool::refill_standby(std::unique_lock<std::mutex>& lock) {
  const bool is_there = running_.load() != serving_.load() || running_.load() >= kMostThreads;
  if (starting_ || is_there || is_ending() || steady_clock::now() < next_try_) return;
  if (!add_thread(lock)) next_try_ = steady_clock::now() + std::chrono::seconds(1);
}

bool ThreadPool::take_turn(std::unique_lock<std::mutex>& lock) {
  const auto needed = [this] {
    return is_ending() || serving_.load() < wanted_.load() + stuck_.load();
  };
  // Another one is on standby, and this one was told to go.
  if (standby_ > 0 && least_ < most_ && !needed()) return false;
  ++standby_;
  while (!needed_.wait_for(lock, settings_.not_needed, needed)) shrink(lock);
  --standby_;
  if (is_ending()) return false;
  serving_.fetch_add(1);
  refill_standby(lock);
  return true;
}

// The request that has come is served at once; the next one finds a thread.
void ThreadPool::on_all_busy() {
  if (!all_busy_.load(std::memory_order_relaxed)) all_busy_.store(true, std::memory_order_relaxed);
  const auto enough = [this] { return wanted_.load(std::memory_order_relaxed) >= most_; };
  const auto standby = [this] { return running_.load() != serving_.load(); };
  if (enough() && standby()) return;
  std::unique_lock<std::mutex> lock(mutex_);
  refill_standby(lock);
  // With nobody on standby nobody could follow.
  if (enough() || !standby()) return;
  wanted_.fetch_add(1);
  needed_.notify_one();
}

void ThreadPool::shrink(std::unique_lock<std::mutex>& lock) {
  if (least_ == most_) return;
  if (!all_busy_.exchange(false)) wanted_ = least_;
  // One that has a request finds out by itself after it; one that waits for one is woken. A signal
  // that comes before the wait is lost: the next round sends another.
  for (Worker& worker : workers_) {
    if (too_many() && worker.receives_.load()) {
      ::pthread_kill(worker.thread_.native_handle(), wake_signal());
    }
  }
  std::list<Worker> ended;
  for (auto at = workers_.begin(); at != workers_.end();) {
    const auto next = std::next(at);
    if (at->over_) ended.splice(ended.end(), workers_, at);
    at = next;
  }
  lock.unlock();
  for (Worker& worker : ended) worker.thread_.join();
  ended.clear();
  lock.lock();
}

void ThreadPool::on_stuck() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stuck_.fetch_add(1);
  needed_.notify_one();
}

void ThreadPool::on_free() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stuck_.fetch_sub(1);
}

void ThreadPool::end() {
  stopping_.store(true);
  std::list<Worker> workers;
  {
    // A signal may come just before the read that it is meant to interrupt, so it is sent
    // repeatedly.
    std::unique_lock<std::mutex> lock(mutex_);
    needed_.notify_all();
    while (!finished_.wait_for(lock, std::chrono::milliseconds(20),
                               [this] { return running_.load() == 0; })) {
      for (Worker& worker : workers_) {
        if (!worker.over_) ::pthread_kill(worker.thread_.native_handle(), wake_signal());
      }
    }
    workers.splice(workers.end(), workers_);
  }
  for (Worker& worker : workers) worker.thread_.join();
}

ThreadPool::Counts ThreadPool::counts() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return {running_.load(), standby_, static_cast<unsigned>(workers_.size())};
}

}  // namespace dmremap::fuse
