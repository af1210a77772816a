// SPDX-License-Identifier: GPL-2.0-or-later
// The time by which passes and rechecks are planned: seconds that never go back and never stand
// still, whatever the wall clock does. Pure.
//
// While the set runs, this time goes on with the monotonic clock. The wall clock only tells how
// long the machine slept or was off: its way forward counts where it is longer, but never more than
// four weeks at once; its way back counts for nothing. So a clock that jumps ahead makes at most
// one pass and one round of rechecks due early, and one that jumps back, or that begins in 1970 at
// each boot, delays them by no more than the time that the machine was off.
#pragma once

#include <cstdint>

namespace dmremap::health {

inline constexpr std::uint64_t kDayS = 86'400;
inline constexpr std::uint64_t kWeekS = 7 * kDayS;

class ScanClock {
 public:
  ScanClock() = default;
  // As it was stored. `wall_s` is 0 if nothing was.
  ScanClock(std::uint64_t elapsed_s, std::uint64_t wall_s);

  // To be called when the scanner is asked anything, at least once a minute while it waits.
  void advance(std::uint64_t monotonic_ns, std::uint64_t wall_ns);

  [[nodiscard]] std::uint64_t elapsed_s() const;
  // The wall clock at the last advance.
  [[nodiscard]] std::uint64_t wall_s() const;

  // More than any set will live; what is stored beyond it is no time.
  static constexpr std::uint64_t kLongestS = kDayS * 365 * 200;

 private:
  std::uint64_t elapsed_ns_ = 0;
  std::uint64_t wall_ns_ = 0;
  std::uint64_t monotonic_ns_ = 0;
  bool running_ = false;
};

}  // namespace dmremap::health
