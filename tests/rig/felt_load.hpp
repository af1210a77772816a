// SPDX-License-Identifier: GPL-2.0-or-later
// A foreground with and without a scan, for what is felt of it: latencies with a heavy tail under a
// load that drifts. Everything follows from a seed.
#pragma once

#include <cstdint>

#include "health/felt.hpp"
#include "sim/dice.hpp"

namespace dmremap::rig {

// What the scan does to it.
struct FeltLoad {
  double factor = 1;        // each latency with scan times this
  double stall_chance = 0;  // that a request with scan also waits for `stall_ms`
  double stall_ms = 0;
  double bias = 1;  // a fault of the measuring: latencies with scan are written down times this
};

class FeltForeground {
 public:
  explicit FeltForeground(std::uint64_t seed) : dice_(seed) {}

  // A pair of windows with `requests` each.
  void pair(health::Felt& felt, const FeltLoad& load, unsigned requests);

 private:
  double uniform();
  double normal();
  double heavy_tailed();

  sim::Dice dice_;
  double drift_ = 0;
};

// In how many percent of 2000 series of 100 pairs the interval contains the effect.
[[nodiscard]] double felt_coverage(const FeltLoad& load, double truth_percent);

// Pairs of windows with 500 requests each until the pace is lowered for the first time; 2000 if it
// is not.
[[nodiscard]] unsigned pairs_until_lowered(const FeltLoad& load, std::uint64_t seed);

}  // namespace dmremap::rig
