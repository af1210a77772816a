// SPDX-License-Identifier: GPL-2.0-or-later
// What the scan costs the foreground, estimated where it runs. Pure; fixed memory.
//
// Of each pair of windows (felt_windows.hpp) the logarithm of the ratio of the two mean latencies
// is taken. Their mean is the estimate, with a 95 % interval by Student's t:
// - the two windows of a pair are neighbours, and a coin decided which one had the scan, so what
//   the load does by itself falls on either side alike, however it drifts, and the log ratio is
//   symmetrical around the effect;
// - the logarithm takes the weight from windows with a few huge latencies, without leaving any
//   out: a trimmed mean would not see a scan that stalls the disk rarely and for long;
// - pairs are independent of each other by the coin, so t needs no block bootstrap, only enough
//   pairs: below 30 nothing is said, and the credit of Pace rules alone.
// Pairs count whatever the scan did in them, also if it waited all the time: the cost of the scan
// as it runs here, not of a read. The 99th percentile is that of all requests of all windows of
// either kind, without an interval.
//
// The pace is halved when the estimate is over 1 % and its interval over 0, and doubled again when
// the interval lies under 1 %. Either way what was measured is another pace's, and is forgotten.
// To look after each pair would halve by chance sooner or later; it is looked at every 30.
//
// What its caller must do:
// - call advance() at least ten times a second while a window runs, and else whenever the scanner
//   looks;
// - keep the scanner from reading while may_scan() is false;
// - call sample() with the latency of foreground requests that arrived while measuring() was true,
//   and the window in which they arrived, before the advance() that ends the pair: of each one or
//   of every nth, as long as the choice does not look at the latency. Outside of windows the path
//   of a request needs only the one flag;
// - pass slowdown() to Pace::set_slowdown() after each advance().
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "health/felt_histogram.hpp"
#include "health/felt_windows.hpp"

namespace dmremap::health {

inline constexpr std::uint64_t kFeltFewestPairs = 30;
// A window with fewer samples makes no mean.
inline constexpr std::uint64_t kFeltFewestSamples = 8;
inline constexpr double kFeltLimitPercent = 1;

struct FeltReport {
  std::uint64_t pairs = 0;
  bool enough = false;  // the rest is nothing without
  double mean_percent = 0;
  double low_percent = 0;
  double high_percent = 0;
  double p99_percent = 0;
  unsigned slowdown = 0;
};

// "felt: mean +0.3 % (-0.2 to +0.8), p99 +0.1 %, 412 pairs of windows", or that there are too few.
[[nodiscard]] std::string to_text(const FeltReport& report);

// A mean with a 95 % interval of values that come one by one. Old ones lose weight beyond kMost.
class FeltMean {
 public:
  void add(double value);
  [[nodiscard]] double mean() const { return mean_; }
  // Half the width of the interval; infinite below two values.
  [[nodiscard]] double half_width() const;

  static constexpr double kMost = 4096;

 private:
  double count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

// Whether what is felt lowers the pace.
enum class FeltControl : std::uint8_t { lowers_pace, reports_only };

class Felt {
 public:
  explicit Felt(FeltControl control = FeltControl::lowers_pace) : control_(control) {}

  void advance(std::uint64_t now_ns, bool wanted, std::uint64_t random);
  [[nodiscard]] bool may_scan() const { return windows_.window() != FeltWindow::without_scan; }
  [[nodiscard]] bool measuring(std::uint64_t now_ns) const { return windows_.measured(now_ns); }
  [[nodiscard]] FeltWindow window() const { return windows_.window(); }
  [[nodiscard]] FeltWindow arrived_in(std::uint64_t moment_ns) const {
    return windows_.arrived_in(moment_ns);
  }
  void sample(FeltWindow arrived_in, std::uint64_t latency_ns);

  // The samples since the last pair are a pair: done by advance(), or by a caller with windows of
  // its own.
  void end_pair();

  [[nodiscard]] FeltReport report() const;
  [[nodiscard]] unsigned slowdown() const { return slowdown_; }

 private:
  struct Window {
    double sum_ns = 0;
    FeltHistogram latencies;
  };

  void forget();
  void adjust();

  FeltControl control_;
  FeltWindows windows_;
  std::array<Window, 2> current_;  // of the pair that runs: with and without the scan
  std::array<FeltHistogram, 2> all_;
  FeltMean ratio_;
  std::uint64_t pairs_ = 0;
  std::uint64_t pairs_at_look_ = 0;
  unsigned slowdown_ = 0;
};

}  // namespace dmremap::health
