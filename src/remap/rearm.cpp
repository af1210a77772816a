// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/rearm.hpp"

namespace dmremap::remap {

Rearm::Rearm(DataPath& path, MainReopener& reopener, std::chrono::milliseconds interval)
    : path_(path),
      reopener_(reopener),
      interval_(interval),
      mutex_(path.scheduling),
      wake_(path.scheduling) {
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

Rearm::~Rearm() {
  stop();
}

void Rearm::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Rearm::loop() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    if (!path_.breaker.tripped()) continue;
    lock.unlock();
    look();
    lock.lock();
  }
}

void Rearm::look() {
  const auto device = reopener_.reopen();
  if (!device || (*device)->geometry() != path_.geometry) return;
  if (path_.reads_well(**device)) path_.rearm(**device);
}

}  // namespace dmremap::remap
