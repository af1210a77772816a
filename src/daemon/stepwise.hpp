// SPDX-License-Identifier: GPL-2.0-or-later
// Does long work on a range of the disk in short steps, so that a stop, or the end of the client
// that asked for it, need not wait for all of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::daemon {

// The first step. At first it is not known how fast a range goes, and a step over bad sectors may
// take half a minute, however short it is.
inline constexpr SectorCount kSmallestStep{128};
// A step that took less is followed by one of twice its length.
inline constexpr std::chrono::milliseconds kQuickStep{500};

// Calls `step` (Result<void>(SectorRange)) for one part of the range after the other, none longer
// than `largest`, and `ended` (bool()) before each of them. If `ended` returns true, it returns the
// rest of the range. It returns an empty range at the end, or the first error of a step.
template <typename Ended, typename Step>
Result<SectorRange> stepwise(SectorRange range, SectorCount largest, const Ended& ended,
                             const Step& step) {
  using std::chrono::steady_clock;
  SectorCount size = std::min(kSmallestStep, largest);
  while (!range.empty() && !ended()) {
    const SectorRange part{range.first, std::min(size, range.count)};
    const auto begun = steady_clock::now();
    if (auto done = step(part); !done) return failure_of(done);
    range = {part.end(), range.end() - part.end()};
    const bool is_quick = steady_clock::now() - begun < kQuickStep;
    size = std::min(is_quick ? SectorCount{size.value * 2} : kSmallestStep, largest);
  }
  return range;
}

// Counts one more while it exists.
class ScopedCount {
 public:
  explicit ScopedCount(std::atomic<unsigned>& count) : count_(count) { count_.fetch_add(1); }
  ~ScopedCount() { count_.fetch_sub(1); }
  ScopedCount(const ScopedCount&) = delete;
  ScopedCount& operator=(const ScopedCount&) = delete;

 private:
  std::atomic<unsigned>& count_;
};

}  // namespace dmremap::daemon
