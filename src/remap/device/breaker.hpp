// SPDX-License-Identifier: GPL-2.0-or-later
// Which errors of a device may remap (promise 6). Media errors do; a device that is gone trips the
// breaker: every request to main fails at once and nothing is remapped until it is back. Any number
// of media errors alone never trips: 40-80 % of them come within a minute of the one before
// (Bairavasundaram, SIGMETRICS 2007).
#pragma once

#include <atomic>
#include <cerrno>
#include <mutex>
#include <string>
#include <string_view>

#include "io/io_status.hpp"

namespace dmremap::remap {

// What a request to main gets while the breaker is tripped: an errno that no disk gives, so that a
// request that waited in line does not trip a breaker that was closed meanwhile.
inline constexpr io::IoStatus kTripped{ESHUTDOWN};

// "main gives ENODEV".
[[nodiscard]] std::string trip_reason(std::string_view device, int error);

// Open or closed, and why. Thread-safe.
class Breaker {
 public:
  [[nodiscard]] bool tripped() const { return tripped_.load(); }
  [[nodiscard]] std::string reason() const;
  // True if it was not tripped before.
  bool trip(std::string reason);
  // Why a device that was found is not taken for main, beside the reason of the trip; empty: none
  // was found. True if that is new. Does nothing unless tripped.
  bool explain(std::string refusal);
  void rearm();

 private:
  std::atomic<bool> tripped_{false};
  mutable std::mutex mutex_;
  std::string reason_;
  std::string refusal_;
};

}  // namespace dmremap::remap
