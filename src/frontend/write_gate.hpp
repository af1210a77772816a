// SPDX-License-Identifier: GPL-2.0-or-later
// A lock on ranges of the disk: keeps aligned writes (shared) away from read-modify-writes
// (exclusive) of the same blocks, which would otherwise write back what an aligned write has just
// replaced. Writes elsewhere are not held up, however long a bad sector takes.
//
// Invariants
//  - A pass that is held overlaps no other one, unless both are shared.
//  - A pass is entered in the list when it is asked for, and waits only for those before it: a
//    steady stream of shared ones cannot starve an exclusive one, and no circle of waits can form.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace dmremap::frontend {

// Thread-safe. The mutex is held for a walk over the requests in flight, a few dozen at most; an
// aligned write looks at them only while a read-modify-write is under way somewhere.
class WriteGate {
 public:
  enum class Access { shared, exclusive };

  // Holds [first, end), in bytes, from the constructor (which waits) to the destructor. A thread
  // holds one at a time. Allocates nothing.
  class Pass {
   public:
    Pass(WriteGate& gate, Access access, std::uint64_t first, std::uint64_t end)
        : gate_(gate), access_(access), first_(first), end_(end) {
      gate_.enter(*this);
    }
    ~Pass() { gate_.leave(*this); }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    friend class WriteGate;

    [[nodiscard]] bool conflicts_with(const Pass& other) const {
      const bool both_share = access_ == Access::shared && other.access_ == Access::shared;
      return !both_share && first_ < other.end_ && other.first_ < end_;
    }

    WriteGate& gate_;
    Access access_;
    std::uint64_t first_;
    std::uint64_t end_;
    Pass* earlier_ = nullptr;  // in the order of asking
    Pass* later_ = nullptr;
  };

 private:
  void enter(Pass& pass) {
    std::unique_lock<std::mutex> lock(mutex_);
    pass.earlier_ = last_;
    if (last_ != nullptr) last_->later_ = &pass;
    last_ = &pass;
    if (pass.access_ == Access::exclusive) ++exclusive_;
    while (exclusive_ != 0 && must_wait(pass)) {
      ++waiting_;
      left_.wait(lock);
      --waiting_;
    }
  }

  void leave(Pass& pass) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (pass.earlier_ != nullptr) pass.earlier_->later_ = pass.later_;
    (pass.later_ != nullptr ? pass.later_->earlier_ : last_) = pass.earlier_;
    if (pass.access_ == Access::exclusive) --exclusive_;
    if (waiting_ != 0) left_.notify_all();
  }

  [[nodiscard]] static bool must_wait(const Pass& pass) {
    for (const Pass* other = pass.earlier_; other != nullptr; other = other->earlier_) {
      if (pass.conflicts_with(*other)) return true;
    }
    return false;
  }

  std::mutex mutex_;  // of everything below, and of the links between the passes
  std::condition_variable left_;
  Pass* last_ = nullptr;
  unsigned exclusive_ = 0;  // passes, held or asked for
  unsigned waiting_ = 0;
};

}  // namespace dmremap::frontend
