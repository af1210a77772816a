// SPDX-License-Identifier: GPL-2.0-or-later
// Long work on a range of the disk in steps short enough that a stop, or the end of whoever asked
// for it, does not have to wait for all of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::daemon {

// Nothing is known of how fast a range goes at first: a step of bad sectors may take half a minute,
// whatever its length.
inline constexpr SectorCount kSmallestStep{128};
// A step that took less is followed by one of twice its length.
inline constexpr std::chrono::milliseconds kQuickStep{500};

// Calls `step` (Result<void>(SectorRange)) for one part of the range after the other, none longer
// than `largest`, and before each of them `ended` (bool()). Returns what is left of the range when
// that was true, an empty range if it never was, or the first error of a step.
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

// One more in a count, from its making to its end.
class Counted {
 public:
  explicit Counted(std::atomic<unsigned>& count) : count_(count) { count_.fetch_add(1); }
  ~Counted() { count_.fetch_sub(1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<unsigned>& count_;
};

}  // namespace dmremap::daemon
