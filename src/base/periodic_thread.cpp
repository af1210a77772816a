// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/periodic_thread.hpp"

#include <mutex>
#include <utility>

#include "base/thread_name.hpp"

namespace dmremap {

void PeriodicThread::start(const char* name, std::function<void()> body) {
  name_ = name;
  body_ = std::move(body);
  begin();
}

void PeriodicThread::begin() {
  thread_ = Thread(scheduling_, [this] { loop(); });
}

void PeriodicThread::go_on() {
  if (name_ == nullptr || thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = false;
  }
  begin();
}

void PeriodicThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void PeriodicThread::loop() {
  name_this_thread(name_);
  std::unique_lock lock(mutex_);
  bool now = first_ == First::at_once;
  while (now || !wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    now = false;
    // Without the lock: whoever stops it must be able to say so while the body takes its time.
    lock.unlock();
    body_();
    lock.lock();
  }
}

}  // namespace dmremap
