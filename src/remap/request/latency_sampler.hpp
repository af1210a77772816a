// SPDX-License-Identifier: GPL-2.0-or-later
// The latencies of users' reads and writes, for whoever measures what something else costs them.
//
// While nobody measures, a request costs one look at a flag. What is answered later, after a bad
// sector was asked again, is no sample, nor is what failed: one of those takes as long as thousands
// of others, and says nothing of who else used the disk.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "base/scheduling.hpp"
#include "remap/admin.hpp"

namespace dmremap::remap {

// Thread-safe.
class LatencySampler {
 public:
  // Of more samples than this between two calls of take(), as many are chosen by lot.
  static constexpr std::size_t kMost = 4096;

  // Both outlive this.
  LatencySampler(Clock& clock, Scheduling& scheduling) : clock_(clock), mutex_(scheduling) {}

  // Whether a request that arrives now is a sample.
  [[nodiscard]] bool is_on() const { return on_.load(std::memory_order_relaxed); }
  void turn(bool on) { on_.store(on, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t now_ns() const { return clock_.monotonic_ns(); }
  // A request that arrived at `begun_ns`, while this was on, ends now.
  void add(std::uint64_t begun_ns);
  // The samples since the last call.
  [[nodiscard]] std::vector<LatencySample> take();

 private:
  Clock& clock_;
  std::atomic<bool> on_{false};
  Mutex mutex_;  // of all below
  std::vector<LatencySample> samples_;
  std::uint64_t seen_ = 0;  // since the last take()
  std::uint64_t lot_ = 0;
};

}  // namespace dmremap::remap
