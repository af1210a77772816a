// SPDX-License-Identifier: GPL-2.0-or-later
#include "arm_gate.hpp"

#include <chrono>

namespace dmremap::lab {

namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
          .count());
}

Clock::time_point time_of(std::uint64_t ns) {
  return Clock::time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

}  // namespace

void ArmGate::move_on() {
  while (const auto taken = queue_->next(now_ns())) {
    Waiting& waiting = *waiting_.at(taken->ticket);
    waiting.end_ns = taken->end_ns;
    waiting.wake.notify_one();
  }
  // One thread has to look when the arm waited in vain for a stream to go on.
  const auto oldest = waiting_.find(queue_->oldest());
  if (oldest != waiting_.end()) oldest->second->wake.notify_one();
}

void ArmGate::pass(SectorRange range, SectorCount transferred, void (*queued)()) {
  std::unique_lock lock(mutex_);
  if (!queue_) {
    queued();
    return;
  }
  Waiting mine;
  const ArmQueue::Ticket ticket = queue_->arrive(now_ns(), range, transferred);
  waiting_.emplace(ticket, &mine);
  queued();
  move_on();
  while (!mine.released && (mine.end_ns == 0 || now_ns() < mine.end_ns)) {
    if (mine.end_ns != 0) {
      mine.wake.wait_until(lock, time_of(mine.end_ns));
    } else if (queue_->oldest() == ticket && queue_->look_at_ns() != ArmQueue::kNever) {
      mine.wake.wait_until(lock, time_of(queue_->look_at_ns()));
      if (!mine.released) move_on();
    } else {
      mine.wake.wait(lock);
    }
  }
  if (mine.released) return;
  waiting_.erase(ticket);
  move_on();
}

void ArmGate::release_all() {
  for (const auto& [ticket, waiting] : waiting_) {
    waiting->released = true;
    waiting->wake.notify_one();
  }
  waiting_.clear();
  queue_.reset();
  if (model_) queue_.emplace(*model_, size_);
}

void ArmGate::set_model(const std::optional<ArmModel>& model) {
  const std::lock_guard lock(mutex_);
  model_ = model;
  release_all();
}

void ArmGate::release() {
  const std::lock_guard lock(mutex_);
  release_all();
}

std::optional<ArmModel> ArmGate::model() const {
  const std::lock_guard lock(mutex_);
  return model_;
}

}  // namespace dmremap::lab
