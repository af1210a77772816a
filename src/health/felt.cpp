// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/felt.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "health/pace.hpp"

namespace dmremap::health {
namespace {

constexpr std::size_t kWith = 0;
constexpr std::size_t kWithout = 1;
// Beyond so many requests what is old counts half.
constexpr std::uint64_t kMostLatencies = 100'000'000;

double percent_of(double log_ratio) {
  return std::expm1(log_ratio) * 100;
}

// The 97.5 % quantile of Student's t by the expansion of Cornish and Fisher: for five degrees of
// freedom and more it is right to a hundredth (Abramowitz and Stegun, 26.7.5).
double student_t(double freedom) {
  constexpr double kZ = 1.959964;
  constexpr double kZ3 = kZ * kZ * kZ;
  constexpr double kZ5 = kZ3 * kZ * kZ;
  return kZ + (kZ3 + kZ) / (4 * freedom) + (5 * kZ5 + 16 * kZ3 + 3 * kZ) / (96 * freedom * freedom);
}

}  // namespace

std::string to_text(const FeltReport& report) {
  const std::string pace =
      report.slowdown == 0 ? "" : fmt::format(", pace lowered to 1/{}", 1U << report.slowdown);
  if (!report.enough) {
    return fmt::format("felt: too few pairs of windows ({} of {}): the credit alone rules{}",
                       report.pairs, kFeltFewestPairs, pace);
  }
  return fmt::format(
      "felt: mean {:+.1f} % ({:+.1f} to {:+.1f}), p99 {:+.1f} %, {} pairs of windows{}",
      report.mean_percent, report.low_percent, report.high_percent, report.p99_percent,
      report.pairs, pace);
}

void FeltMean::add(double value) {
  if (count_ >= kMost) {
    count_ /= 2;
    squares_ /= 2;
  }
  count_ += 1;
  const double from_old = value - mean_;
  mean_ += from_old / count_;
  squares_ += from_old * (value - mean_);
}

double FeltMean::half_width() const {
  if (count_ < 2) return std::numeric_limits<double>::infinity();
  return student_t(count_ - 1) * std::sqrt(squares_ / (count_ - 1) / count_);
}

void Felt::advance(std::uint64_t now_ns, bool wanted, std::uint64_t random) {
  const bool between_pairs = windows_.window() == FeltWindow::none;
  switch (windows_.advance(now_ns, wanted, random)) {
    case FeltWindows::Ended::nothing:
      break;
    case FeltWindows::Ended::pair:
      end_pair();
      break;
    case FeltWindows::Ended::void_pair:
      current_ = {};
      break;
  }
  // Requests of the last pair that took until now.
  if (between_pairs && windows_.window() != FeltWindow::none) current_ = {};
}

void Felt::sample(FeltWindow arrived_in, std::uint64_t latency_ns) {
  if (arrived_in == FeltWindow::none) return;
  Window& window = current_[arrived_in == FeltWindow::with_scan ? kWith : kWithout];
  window.sum_ns += static_cast<double>(latency_ns);
  window.latencies.add(latency_ns);
}

void Felt::end_pair() {
  const auto mean_ns = [](const Window& window) {
    return std::max(window.sum_ns, 1.0) / static_cast<double>(window.latencies.count());
  };
  const bool counts = std::ranges::all_of(
      current_, [](const Window& it) { return it.latencies.count() >= kFeltFewestSamples; });
  if (counts) {
    ratio_.add(std::log(mean_ns(current_[kWith]) / mean_ns(current_[kWithout])));
    for (std::size_t i = 0; i < all_.size(); ++i) all_[i].add(current_[i].latencies);
    if (std::max(all_[kWith].count(), all_[kWithout].count()) > kMostLatencies) {
      for (FeltHistogram& it : all_) it.halve();
    }
    ++pairs_;
    if (control_ == FeltControl::lowers_pace) adjust();
  }
  current_ = {};
}

FeltReport Felt::report() const {
  FeltReport report;
  report.pairs = pairs_;
  report.slowdown = slowdown_;
  report.enough = pairs_ >= kFeltFewestPairs;
  if (!report.enough) return report;
  report.mean_percent = percent_of(ratio_.mean());
  report.low_percent = percent_of(ratio_.mean() - ratio_.half_width());
  report.high_percent = percent_of(ratio_.mean() + ratio_.half_width());
  const double without_ns = all_[kWithout].quantile_ns(0.99);
  report.p99_percent = (all_[kWith].quantile_ns(0.99) / without_ns - 1) * 100;
  return report;
}

void Felt::forget() {
  ratio_ = {};
  for (FeltHistogram& it : all_) it.clear();
  pairs_ = 0;
  pairs_at_look_ = 0;
}

void Felt::adjust() {
  if (pairs_ - pairs_at_look_ < kFeltFewestPairs) return;
  pairs_at_look_ = pairs_;
  const FeltReport now = report();
  const bool felt = now.mean_percent > kFeltLimitPercent && now.low_percent > 0;
  if (felt && slowdown_ < kSlowdownMax) {
    ++slowdown_;
    forget();
  } else if (slowdown_ > 0 && now.high_percent < kFeltLimitPercent) {
    --slowdown_;
    forget();
  }
}

}  // namespace dmremap::health
