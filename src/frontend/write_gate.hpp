// SPDX-License-Identifier: GPL-2.0-or-later
// A lock on ranges of the disk: keeps aligned writes (shared) away from read-modify-writes
// (exclusive) of the same blocks, which would otherwise write back what an aligned write has just
// replaced. Writes elsewhere are not held up, however long a bad sector takes.
//
// Almost always no read-modify-write is under way. A shared pass then announces its range in a slot
// of its own (table::Pins) and sees that there is none; an exclusive one counts itself first and
// then looks at the slots. Both are sequentially consistent, so one of the two sees the other.
//
// Invariants
//  - A pass that is held overlaps no other one, unless both are shared.
//  - Passes that meet an exclusive one are entered in a list when they are asked for, and wait only
//    for those before them: a steady stream of shared ones cannot starve an exclusive one, and no
//    circle of waits can form. An exclusive pass also waits for the shared ones that announced
//    themselves before it, which do not wait at all.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/scheduling.hpp"
#include "table/snapshot.hpp"

namespace dmremap::frontend {

// Thread-safe. The mutex is held for a walk over the passes in the list, a few dozen at most.
class WriteGate {
 public:
  enum class Access { shared, exclusive };

  // Holds [first, end), in bytes, from the constructor (which waits) to the destructor. A thread
  // holds one at a time. Allocates nothing.
  class Pass {
   public:
    Pass(WriteGate& gate, Access access, std::uint64_t first, std::uint64_t end)
        : gate_(gate), access_(access), first_(first), end_(end) {
      if (access == Access::shared) {
        pin_.emplace(gate.announced_.pin(sectors()));
        if (gate.exclusive_.load() == 0) return;
        pin_.reset();
      }
      gate_.enter(*this);
    }
    ~Pass() {
      if (!pin_) gate_.leave(*this);
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    friend class WriteGate;

    [[nodiscard]] SectorRange sectors() const {
      const Sector first{first_ / kSectorBytes};
      return {first, Sector{(end_ + kSectorBytes - 1) / kSectorBytes} - first};
    }
    [[nodiscard]] bool conflicts_with(const Pass& other) const {
      const bool both_share = access_ == Access::shared && other.access_ == Access::shared;
      return !both_share && first_ < other.end_ && other.first_ < end_;
    }

    WriteGate& gate_;
    Access access_;
    std::uint64_t first_;
    std::uint64_t end_;
    std::optional<table::Pins::Pin> pin_;  // empty if the pass is in the list
    Pass* earlier_ = nullptr;              // in the order of asking
    Pass* later_ = nullptr;
  };

  // A shared pass for a caller that must not wait: it holds the range until it is released. Nothing
  // if an exclusive pass is held or asked for, wherever; then a thread has to take a Pass.
  [[nodiscard]] std::optional<table::Pins::Pin> try_share(SectorRange range) {
    std::optional<table::Pins::Pin> pin(announced_.pin(range));
    if (exclusive_.load() != 0) pin.reset();
    return pin;
  }

 private:
  void enter(Pass& pass) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      pass.earlier_ = last_;
      if (last_ != nullptr) last_->later_ = &pass;
      last_ = &pass;
      if (pass.access_ == Access::exclusive) exclusive_.fetch_add(1);
      while (must_wait(pass)) {
        ++waiting_;
        left_.wait(lock);
        --waiting_;
      }
    }
    if (pass.access_ == Access::exclusive) {
      const bool drained = announced_.drain(pass.sectors(), system_clock(),
                                            std::numeric_limits<std::uint64_t>::max());
      DMREMAP_ASSERT(drained);
    }
  }

  void leave(Pass& pass) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (pass.earlier_ != nullptr) pass.earlier_->later_ = pass.later_;
    (pass.later_ != nullptr ? pass.later_->earlier_ : last_) = pass.earlier_;
    if (pass.access_ == Access::exclusive) exclusive_.fetch_sub(1);
    if (waiting_ != 0) left_.notify_all();
  }

  [[nodiscard]] static bool must_wait(const Pass& pass) {
    for (const Pass* other = pass.earlier_; other != nullptr; other = other->earlier_) {
      if (pass.conflicts_with(*other)) return true;
    }
    return false;
  }

  table::Pins announced_{system_scheduling()};  // shared passes that are not in the list
  std::atomic<unsigned> exclusive_{0};          // passes, held or asked for
  std::mutex mutex_;  // guards everything below, and the links between the passes
  std::condition_variable left_;
  Pass* last_ = nullptr;
  unsigned waiting_ = 0;
};

}  // namespace dmremap::frontend
