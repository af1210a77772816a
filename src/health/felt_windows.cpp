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
    first_began_ns_ = now_ns;
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

FeltWindow FeltWindows::kind_of(unsigned index) const {
  return (index == 1) == scan_first_ ? FeltWindow::with_scan : FeltWindow::without_scan;
}

FeltWindow FeltWindows::window() const {
  return index_ == 0 ? FeltWindow::none : kind_of(index_);
}

FeltWindow FeltWindows::arrived_in(std::uint64_t moment_ns) const {
  const auto within = [moment_ns](std::uint64_t began_ns) {
    return moment_ns >= began_ns + kFeltGuardNs && moment_ns < began_ns + kFeltWindowNs;
  };
  if (index_ != 0 && within(first_began_ns_)) return kind_of(1);
  return index_ == 2 && within(began_ns_) ? kind_of(2) : FeltWindow::none;
}

}  // namespace dmremap::health
