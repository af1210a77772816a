// SPDX-License-Identifier: GPL-2.0-or-later
#include "calibration.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <thread>

#include <fmt/format.h>

namespace dmremap::health::calibration {

namespace {

constexpr unsigned kThreads = 2;
constexpr unsigned kStratumDisksLeast = 1000;

struct Outcome {
  ForecastCase asked;
  Forecast stated;
};

double log_days(double days) {
  return std::log10(std::max(1.0, days));
}

// The same disks for the same seed, however many threads draw them.
std::vector<Outcome> draw(Source source, const Forecaster& forecaster, unsigned disks,
                          std::uint64_t seed) {
  std::vector<Outcome> out(disks);
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (unsigned i = thread; i < disks; i += kThreads) {
        Random random(seed * 1'000'003 + i);
        out[i].asked = draw_case(source, random);
        out[i].stated = forecaster(out[i].asked.seen, out[i].asked.room);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out;
}

std::string episodes_stratum(const Outcome& one) {
  const std::uint32_t episodes = episodes_in(one.asked.seen);
  if (episodes == 0) return "no growth seen";
  if (episodes == 1) return "1 episode";
  if (episodes <= 3) return "2 to 3 episodes";
  return episodes <= 9 ? "4 to 9 episodes" : "10 episodes and more";
}

std::string room_stratum(const Outcome& one) {
  double grown = 0;
  for (const auto& rise : one.asked.seen.rises) grown += rise.amount;
  if (grown == 0) return "no growth seen";
  const double ratio = one.asked.room / grown;
  if (ratio < 1) return "room less than what grew";
  return ratio < 10 ? "room 1 to 10 times what grew" : "room over 10 times what grew";
}

Coverage coverage_of(std::string name, const std::vector<const Outcome*>& disks) {
  Coverage out;
  out.disks = std::move(name);
  out.count = disks.size();
  std::vector<double> widths;
  for (const Outcome* one : disks) {
    const Forecast& stated = one->stated;
    out.too_early += one->asked.truth_days < stated.low_days;
    out.too_late += stated.high_days && one->asked.truth_days > *stated.high_days;
    if (stated.high_days) widths.push_back(log_days(*stated.high_days) - log_days(stated.low_days));
  }
  if (!widths.empty()) {
    const auto middle = widths.begin() + static_cast<std::ptrdiff_t>(widths.size() / 2);
    std::ranges::nth_element(widths, middle);
    out.width = *middle;
  }
  return out;
}

double interval_score(double low_days, double high_days, double truth_days) {
  const double low = log_days(low_days);
  const double high = log_days(high_days);
  const double truth = log_days(truth_days);
  return high - low + 20 * (std::max(0.0, low - truth) + std::max(0.0, truth - high));
}

Forecast interval_of(std::vector<double> truths) {
  std::ranges::sort(truths);
  const auto quantile = [&truths](double q) {
    return truths[static_cast<std::size_t>(q * static_cast<double>(truths.size()))];
  };
  Forecast out;
  out.growth_seen = true;
  out.low_days = quantile(0.05);
  out.median_days = quantile(0.5);
  out.high_days = quantile(0.95);
  return out;
}

}  // namespace

double Coverage::covered() const {
  return count == 0
             ? 0
             : static_cast<double>(count - too_early - too_late) / static_cast<double>(count);
}

Forecaster base_rate(Source source, unsigned disks, std::uint64_t seed) {
  std::vector<double> truths;
  for (unsigned i = 0; i < disks; ++i) {
    Random random(seed * 1'000'003 + i);
    truths.push_back(draw_case(source, random).truth_days);
  }
  return [always = interval_of(std::move(truths))](const Growth&, double) { return always; };
}

Calibration calibrate(Source source, const Forecaster& forecaster, unsigned disks,
                      std::uint64_t seed) {
  const std::vector<Outcome> outcomes = draw(source, forecaster, disks, seed);
  std::vector<const Outcome*> all;
  std::map<std::string, std::vector<const Outcome*>> strata;
  std::vector<double> truths;
  for (const Outcome& one : outcomes) {
    all.push_back(&one);
    strata[episodes_stratum(one)].push_back(&one);
    if (!one.asked.seen.rises.empty()) strata[room_stratum(one)].push_back(&one);
    truths.push_back(one.asked.truth_days);
  }
  Calibration out;
  out.all = coverage_of("all", all);
  for (auto& [name, members] : strata) out.strata.push_back(coverage_of(name, members));

  const Forecast always = interval_of(std::move(truths));
  double scored = 0;
  for (const Outcome& one : outcomes) {
    if (one.asked.seen.rises.empty() || !one.stated.high_days) continue;
    const double truth = one.asked.truth_days;
    out.score += interval_score(one.stated.low_days, *one.stated.high_days, truth);
    out.base_rate_score += interval_score(always.low_days, *always.high_days, truth);
    ++scored;
  }
  if (scored > 0) {
    out.score /= scored;
    out.base_rate_score /= scored;
  }
  return out;
}

std::vector<std::string> failures(const Calibration& calibration) {
  std::vector<std::string> out;
  const auto outside = [&out](const Coverage& one, double least, double most) {
    if (one.covered() >= least && one.covered() <= most) return;
    out.push_back(fmt::format("{}: {:.1f} % covered, wanted {:.0f} to {:.0f} %", one.disks,
                              100 * one.covered(), 100 * least, 100 * most));
  };
  outside(calibration.all, kCoveredLeast, kCoveredMost);
  for (const Coverage& one : calibration.strata) {
    if (one.count >= kStratumDisksLeast) outside(one, kStratumLeast, kStratumMost);
  }
  if (!(calibration.score <= kScoreMost * calibration.base_rate_score)) {
    out.push_back(
        fmt::format("interval score {:.2f}, wanted at most {:.2f} of the base rate's {:.2f}",
                    calibration.score, kScoreMost, calibration.base_rate_score));
  }
  return out;
}

}  // namespace dmremap::health::calibration
