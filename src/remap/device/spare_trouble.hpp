// SPDX-License-Identifier: GPL-2.0-or-later
// How the spare answers, for the conditions of the set. A request that meets an error of the spare
// leaves a sign, which costs nothing and concludes nothing; SpareWatch follows it up
// (spare_watch.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "remap/engine.hpp"

namespace dmremap::remap {

// Thread-safe.
class SpareTrouble {
 public:
  // A request to the spare failed.
  void sign() { signs_.fetch_add(1); }
  [[nodiscard]] std::uint64_t signs() const { return signs_.load(); }

  // The errno of a request said that the device is not there.
  void note_absence() { absences_.fetch_add(1); }
  // How often: if two readings differ, the device was away between them.
  [[nodiscard]] std::uint64_t absences() const { return absences_.load(); }

  // What the last look found.
  void set(SpareState state, std::string reason) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    reason_ = std::move(reason);
    if (state != SpareState::away) refusal_.clear();
  }
  [[nodiscard]] std::pair<SpareState, std::string> found() const {
    const std::lock_guard lock(mutex_);
    return {state_, refusal_.empty() ? reason_ : reason_ + "; " + refusal_};
  }

  // Which device is there while the spare is away, and why it is not taken for the spare; empty:
  // none is. False if the spare is not away, or that was said before.
  bool explain(std::string refusal) {
    const std::lock_guard lock(mutex_);
    if (state_ != SpareState::away || refusal == refusal_) return false;
    refusal_ = std::move(refusal);
    return true;
  }
  [[nodiscard]] std::string refusal() const {
    const std::lock_guard lock(mutex_);
    return refusal_;
  }

  // While it is withheld nothing is written to the spare's data area: its size is not what it was.
  void withhold(bool withheld) { withheld_.store(withheld); }
  [[nodiscard]] bool is_withheld() const { return withheld_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> signs_{0};
  std::atomic<std::uint64_t> absences_{0};
  std::atomic<bool> withheld_{false};
  mutable std::mutex mutex_;
  SpareState state_ = SpareState::answers;
  std::string reason_;
  std::string refusal_;  // of the devices that are there while it is away
};

}  // namespace dmremap::remap
