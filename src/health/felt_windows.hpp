// SPDX-License-Identifier: GPL-2.0-or-later
// The pairs of windows in which it is measured what the scan costs: ten seconds with and ten
// seconds without scanning, in an order that a coin decides, a pair about once a minute. Pure: time
// and randomness are passed in.
//
// The first quarter of a second of a window is not measured: what is in flight at the border
// belongs to the window before.
#pragma once

#include <cstdint>

namespace dmremap::health {

inline constexpr std::uint64_t kFeltWindowNs = 10'000'000'000;
inline constexpr std::uint64_t kFeltGuardNs = 250'000'000;
// From the end of a pair to the next: up to twice as long, at random, so that no job that runs once
// a minute falls into the same window each time.
inline constexpr std::uint64_t kFeltPauseNs = 40'000'000'000;

enum class FeltWindow : std::uint8_t { none, with_scan, without_scan };

class FeltWindows {
 public:
  // What a step of time ended: nothing, a pair that is complete, or one that is void.
  enum class Ended : std::uint8_t { nothing, pair, void_pair };

  // `wanted`: the scanner has something to read and is not held. It ends a pair when it is not.
  // `random` is used when a pair begins; each call passes a fresh one. A step of time so long that
  // a window was missed, or one back, voids the pair.
  Ended advance(std::uint64_t now_ns, bool wanted, std::uint64_t random);

  // The window that runs. Without one, and in one with scan, the scanner may read.
  [[nodiscard]] FeltWindow window() const;
  // True if latencies of requests that arrive at this moment are to be sampled.
  [[nodiscard]] bool measured(std::uint64_t now_ns) const {
    return arrived_in(now_ns) != FeltWindow::none;
  }
  // The window of the pair that runs within whose measured part that moment is.
  [[nodiscard]] FeltWindow arrived_in(std::uint64_t moment_ns) const;

 private:
  [[nodiscard]] FeltWindow kind_of(unsigned index) const;

  bool started_ = false;
  unsigned index_ = 0;  // 0: between pairs; 1, 2: the windows of a pair
  bool scan_first_ = false;
  std::uint64_t began_ns_ = 0;        // of the window, or of the pause
  std::uint64_t first_began_ns_ = 0;  // of the first window of the pair
  std::uint64_t pause_ns_ = 0;
};

}  // namespace dmremap::health
