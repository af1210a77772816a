// SPDX-License-Identifier: GPL-2.0-or-later
// Where requests wait until the arm of the disk has served them. Without an arm none waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "arm.hpp"
#include "base/units.hpp"

namespace dmremap::lab {

// Thread-safe.
class ArmGate {
 public:
  explicit ArmGate(SectorCount size) : size_(size) {}

  // Returns when the request has been served. `queued` is called as soon as the request has its
  // place in the order; what calls pass() after that comes behind it.
  void pass(SectorRange range, SectorCount transferred, void (*queued)());

  // What waits goes through at once.
  void set_model(const std::optional<ArmModel>& model);
  // The same, as when the disk is pulled; the model stays.
  void release();
  [[nodiscard]] std::optional<ArmModel> model() const;

 private:
  struct Waiting {
    std::condition_variable wake;
    std::uint64_t end_ns = 0;  // 0: the arm has not taken it up
    bool released = false;
  };

  // Lets the arm take up what it can by now, and wakes who has to know.
  void move_on();
  void release_all();

  const SectorCount size_;
  mutable std::mutex mutex_;  // of all below
  std::optional<ArmModel> model_;
  std::optional<ArmQueue> queue_;  // with an arm
  std::map<ArmQueue::Ticket, Waiting*> waiting_;
};

}  // namespace dmremap::lab
