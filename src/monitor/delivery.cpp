// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/delivery.hpp"

#include <utility>

#include "base/clock.hpp"

namespace dmremap::monitor {

Delivery::~Delivery() {
  (void)finish();
}

void Delivery::add(std::unique_ptr<Channel> channel) {
  Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.channel = std::move(channel);
  worker.thread = std::thread([this, &worker] { run(worker); });
}

void Delivery::post(const Message& message) {
  Message stamped = message;
  if (stamped.wall_ns == 0) stamped.wall_ns = system_clock().wall_ns();
  const std::lock_guard lock(mutex_);
  for (const auto& worker : workers_) {
    if (worker->channel->wants(stamped)) worker->queue.push_back(stamped);
  }
  changed_.notify_all();
}

bool Delivery::finish() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  return !failed_;
}

void Delivery::run(Worker& worker) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !worker.queue.empty(); });
    if (worker.queue.empty()) return;
    const std::vector<Message> messages(worker.queue.begin(), worker.queue.end());
    worker.queue.clear();
    lock.unlock();
    const std::vector<Error> errors = worker.channel->deliver(messages);
    lock.lock();
    for (const Error& error : errors) {
      failed_ = true;
      on_failure_(error);
    }
    changed_.wait_for(lock, worker.channel->interval(), [&] { return ending_; });
  }
}

}  // namespace dmremap::monitor
