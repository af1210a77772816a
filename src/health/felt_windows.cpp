// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/felt_windows.hpp"

namespace dmremap::health {

FeltWindows::Ended FeltWindows::advance(std::uint64_t now_ns, bool wanted, std::uint64_t random) {
  const auto pause = [&](Ended ended) {
    index_ = 0;
    began_ns_ = now_ns;
    // The lowest bit is the coin of the next pair.
    pause_ns_ = (random >> 1U) % (2 * kFeltPauseNs);
    scan_first_ = (random & 1U) != 0;
    return ended;
  };
  if (!started_ || now_ns < began_ns_) {
    started_ = true;
    return pause(index_ == 0 ? Ended::nothing : Ended::void_pair);
  }
  const std::uint64_t in_window_ns = now_ns - began_ns_;
  if (index_ == 0) {
    if (in_window_ns < pause_ns_ || !wanted) return Ended::nothing;
    index_ = 1;
    began_ns_ = now_ns;
    return Ended::nothing;
  }
  if (!wanted) return pause(Ended::void_pair);
  if (in_window_ns < kFeltWindowNs) return Ended::nothing;
  // More than a tenth too late: the windows would not be alike.
  if (in_window_ns > kFeltWindowNs + kFeltWindowNs / 10) return pause(Ended::void_pair);
  if (index_ == 2) return pause(Ended::pair);
  index_ = 2;
  began_ns_ = now_ns;
  return Ended::nothing;
}

FeltWindow FeltWindows::window() const {
  if (index_ == 0) return FeltWindow::none;
  return (index_ == 1) == scan_first_ ? FeltWindow::with_scan : FeltWindow::without_scan;
}

bool FeltWindows::measured(std::uint64_t now_ns) const {
  return index_ != 0 && now_ns >= began_ns_ + kFeltGuardNs && now_ns < began_ns_ + kFeltWindowNs;
}

}  // namespace dmremap::health
