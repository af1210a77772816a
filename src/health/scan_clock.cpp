// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_clock.hpp"

#include <algorithm>

#include "base/units.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint64_t kLongestStepNs = 4 * kWeekS * kSecondNs;

std::uint64_t way_forward(std::uint64_t from, std::uint64_t to) {
  return to > from ? to - from : 0;
}

}  // namespace

ScanClock::ScanClock(std::uint64_t elapsed_s, std::uint64_t wall_s)
    : elapsed_ns_(std::min(elapsed_s, kLongestS) * kSecondNs),
      // A wall clock beyond what 64 bits of nanoseconds hold is as good as none.
      wall_ns_(wall_s < UINT64_MAX / kSecondNs ? wall_s * kSecondNs : 0) {}

void ScanClock::advance(std::uint64_t monotonic_ns, std::uint64_t wall_ns) {
  const std::uint64_t ran = running_ ? way_forward(monotonic_ns_, monotonic_ns) : 0;
  const std::uint64_t passed = wall_ns_ == 0 ? 0 : way_forward(wall_ns_, wall_ns);
  elapsed_ns_ = std::min(elapsed_ns_ + std::min(std::max(ran, passed), kLongestStepNs),
                         kLongestS * kSecondNs);
  monotonic_ns_ = monotonic_ns;
  wall_ns_ = wall_ns;
  running_ = true;
}

std::uint64_t ScanClock::elapsed_s() const {
  return elapsed_ns_ / kSecondNs;
}

std::uint64_t ScanClock::wall_s() const {
  return wall_ns_ / kSecondNs;
}

}  // namespace dmremap::health
