// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_watch.hpp"

#include <cerrno>
#include <utility>

namespace dmremap::remap {

namespace {

constexpr std::chrono::nanoseconds kWithoutSign = std::chrono::hours(24);

}  // namespace

SpareWatch::SpareWatch(DataPath& path, Remapper* remapper, std::chrono::milliseconds interval)
    : path_(path),
      remapper_(remapper),
      interval_(interval),
      mutex_(path.scheduling),
      wake_(path.scheduling) {
  thread_ = Thread(path_.scheduling, [this] { loop(); });
}

SpareWatch::~SpareWatch() {
  stop();
}

void SpareWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void SpareWatch::loop() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    if (!is_due()) continue;
    lock.unlock();
    look();
    lock.lock();
  }
}

bool SpareWatch::is_due() const {
  if (in_trouble_ || path_.spare_trouble.signs() != signs_seen_) return true;
  // Without a sign nothing is written by a set that takes no writes, and nothing read.
  return remapper_ != nullptr && path_.clock.monotonic_ns() >= next_look_ns_;
}

void SpareWatch::look() {
  // Whoever meets an error while this look goes on has it followed up by the next one.
  const std::uint64_t signs = path_.spare_trouble.signs();
  const SpareTrial found =
      remapper_ != nullptr && path_.writable() ? remapper_->run_trial() : trial_by_reading();
  // The failures of the trial itself are signs as well, and need no look of their own.
  signs_seen_ = signs + found.failures;
  in_trouble_ = found.state != SpareState::answers;
  next_look_ns_ = path_.clock.monotonic_ns() + static_cast<std::uint64_t>(kWithoutSign.count());
  // Seen by what reads the metadata, whose errors leave no sign.
  if (found.state == SpareState::away) path_.note_spare_absence();
  path_.spare_trouble.set(found.state, found.reason);
}

SpareTrial SpareWatch::trial_by_reading() {
  const io::Fault fault = path_.diagnose_spare(EIO);
  return fault == io::Fault::device ? trial_of(fault, EIO) : SpareTrial{};
}

}  // namespace dmremap::remap
