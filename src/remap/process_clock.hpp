// SPDX-License-Identifier: GPL-2.0-or-later
// A clock that stands still while the process does: stopped by a signal or a debugger, or frozen
// with its control group. Time that nobody could use is no evidence that a drive is slow, and takes
// nothing from a request's deadline.
//
// A thread of its own ticks. Time never runs further ahead of the last tick than kTick and kSlack,
// so a pause is taken out of it before anyone can have seen it, whoever runs first afterwards.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>

#include "base/clock.hpp"
#include "base/scheduling.hpp"

namespace dmremap::remap {

// Thread-safe.
class ProcessClock final : public Clock {
 public:
  static constexpr std::chrono::milliseconds kTick{500};
  // How late a tick may be on a busy machine without being called a pause.
  static constexpr std::chrono::milliseconds kSlack{500};

  // Both outlive this. `ticking` false: never stands still, for clocks that a test moves by hand.
  ProcessClock(Clock& raw, Scheduling& scheduling, bool ticking);
  ~ProcessClock() override;
  ProcessClock(const ProcessClock&) = delete;
  ProcessClock& operator=(const ProcessClock&) = delete;

  [[nodiscard]] std::uint64_t wall_ns() override { return raw_.wall_ns(); }
  // Without the pauses.
  [[nodiscard]] std::uint64_t monotonic_ns() override;
  // What monotonic_ns() was at a moment of the raw clock, in the past.
  [[nodiscard]] std::uint64_t at_raw(std::uint64_t raw_ns);
  // How many there were; the same before and after what no pause has lengthened.
  [[nodiscard]] std::uint64_t pauses();

  // Ends the thread; from then on the clock is the raw one, less the pauses so far.
  void stop();

 private:
  struct Pause {
    std::uint64_t begin_ns = 0;       // raw: the latest that it can have begun
    std::uint64_t end_ns = 0;         // raw: the tick that noticed it
    std::uint64_t lost_ns_until = 0;  // by all pauses up to its end
  };
  void loop();
  void tick_locked();

  Clock& raw_;
  std::mutex mutex_;
  std::uint64_t last_tick_ns_ = 0;  // raw
  std::uint64_t lost_ns_ = 0;
  std::uint64_t count_ = 0;
  std::deque<Pause> latest_;
  bool ticking_;

  Mutex thread_mutex_;
  Condition wake_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap::remap
