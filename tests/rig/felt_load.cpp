// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig/felt_load.hpp"

#include <cmath>

namespace dmremap::rig {

using health::Felt;
using health::FeltControl;
using health::FeltReport;
using health::FeltWindow;

void FeltForeground::pair(Felt& felt, const FeltLoad& load, unsigned requests) {
  // From pair to pair the load goes up and down, and comes back slowly.
  drift_ = 0.9 * drift_ + 0.3 * normal();
  const bool scan_first = dice_.one_in(2);
  for (const bool scan : {scan_first, !scan_first}) {
    // Within a pair too.
    const double level = std::exp(drift_ + 0.1 * normal());
    for (unsigned i = 0; i < requests; ++i) {
      double ms = level * heavy_tailed();
      if (scan) {
        ms *= load.factor;
        if (dice_.chance(load.stall_chance)) ms += load.stall_ms;
        ms *= load.bias;
      }
      felt.sample(scan ? FeltWindow::with_scan : FeltWindow::without_scan,
                  static_cast<std::uint64_t>(ms * 1e6));
    }
  }
  felt.end_pair();
}

double FeltForeground::uniform() {
  return (static_cast<double>(dice_.next() >> 11U) + 0.5) / 9007199254740992.0;  // 2^53
}

double FeltForeground::normal() {
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += uniform();
  return (sum - 2) * std::sqrt(3.0);
}

// Pareto's, as 1/x^3: the variance exists, the next moment does not.
double FeltForeground::heavy_tailed() {
  return 1 / std::cbrt(uniform());
}

double felt_coverage(const FeltLoad& load, double truth_percent) {
  constexpr unsigned kSeries = 2000;
  unsigned covered = 0;
  for (unsigned series = 0; series < kSeries; ++series) {
    Felt felt(FeltControl::reports_only);
    FeltForeground foreground(series + 1);
    for (unsigned pair = 0; pair < 100; ++pair) foreground.pair(felt, load, 20);
    const FeltReport report = felt.report();
    if (report.low_percent <= truth_percent && truth_percent <= report.high_percent) ++covered;
  }
  return 100.0 * covered / kSeries;
}

unsigned pairs_until_lowered(const FeltLoad& load, std::uint64_t seed) {
  constexpr unsigned kMost = 2000;
  Felt felt;
  FeltForeground foreground(seed);
  for (unsigned pair = 1; pair < kMost; ++pair) {
    foreground.pair(felt, load, 500);
    if (felt.slowdown() > 0) return pair;
  }
  return kMost;
}

}  // namespace dmremap::rig
