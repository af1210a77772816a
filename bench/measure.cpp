// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace dmremap::bench {

Estimate estimate(std::vector<double> samples) {
  DMREMAP_ASSERT(!samples.empty());
  std::sort(samples.begin(), samples.end());
  const std::size_t n = samples.size();
  const double median = (samples[(n - 1) / 2] + samples[n / 2]) / 2;
  // How many samples lie below the true median is binomial(n, 1/2): the ranks between which the
  // median is with 95 %, by the normal approximation, rounded outwards.
  const double count = static_cast<double>(n);
  const double reach = 1.96 * std::sqrt(count) / 2;
  const auto below = static_cast<std::size_t>(std::max(0.0, std::floor(count / 2 - reach)));
  return {median, samples[below == 0 ? 0 : below - 1], samples[below == 0 ? n - 1 : n - below]};
}

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Comparison compare(const Way& a, const Way& b, unsigned pairs) {
  constexpr unsigned kWarmUp = 2;
  const auto once = [](const Way& way) {
    if (way.prepare) way.prepare();
    return seconds(way.work);
  };
  std::vector<double> as;
  std::vector<double> bs;
  std::vector<double> ratios;
  for (unsigned pair = 0; pair < pairs + kWarmUp; ++pair) {
    const bool a_first = pair % 2 == 0;
    const double first = once(a_first ? a : b);
    const double second = once(a_first ? b : a);
    if (pair < kWarmUp) continue;
    as.push_back(a_first ? first : second);
    bs.push_back(a_first ? second : first);
    ratios.push_back(bs.back() / as.back());
  }
  return {estimate(as), estimate(bs), estimate(ratios)};
}

std::string text(const Estimate& it, double scale, int digits) {
  return fmt::format("{:.{}f} ({:.{}f} to {:.{}f})", it.median * scale, digits, it.low * scale,
                     digits, it.high * scale, digits);
}

void print_row(const std::vector<std::string>& cells) {
  for (const std::string& cell : cells) fmt::print("| {} ", cell);
  fmt::print("|\n");
  std::fflush(stdout);
}

void print_titles(const std::vector<std::string>& titles) {
  print_row(titles);
  std::vector<std::string> line(titles.size(), "--:");
  line.front() = "---";
  print_row(line);
}

}  // namespace dmremap::bench
