// SPDX-License-Identifier: GPL-2.0-or-later
// Measures what the scan costs the users of a running set: the windows and the estimate are
// health::Felt's, the latencies are those of requests to the engine.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "health/felt.hpp"
#include "remap/admin.hpp"

namespace dmremap::set {

// One thread, the scanner's, or under its lock.
class FeltMeter {
 public:
  // The longest time between two looks while a window runs.
  static constexpr std::uint64_t kStepNs = 50'000'000;

  // Both outlive this. `engine` and now_ns of advance() go by one clock.
  FeltMeter(remap::Admin& engine, Random& random) : engine_(engine), random_(random) {}
  ~FeltMeter();
  FeltMeter(const FeltMeter&) = delete;
  FeltMeter& operator=(const FeltMeter&) = delete;

  // Call whenever the scanner looks, and after longest_wait_ns() at the latest. `wanted`: it has
  // something to read, at its own pace, and nothing holds it.
  void advance(std::uint64_t now_ns, bool wanted);
  // False in the windows in which it must not read.
  [[nodiscard]] bool may_scan() const { return felt_.may_scan(); }
  [[nodiscard]] std::uint64_t longest_wait_ns() const {
    return felt_.window() == health::FeltWindow::none ? UINT64_MAX : kStepNs;
  }
  // For Pace::set_slowdown().
  [[nodiscard]] unsigned slowdown() const { return felt_.slowdown(); }
  [[nodiscard]] health::FeltReport report() const { return felt_.report(); }

 private:
  void turn_sampling(bool on);

  remap::Admin& engine_;
  Random& random_;
  health::Felt felt_;
  bool sampling_ = false;
};

}  // namespace dmremap::set
