// SPDX-License-Identifier: GPL-2.0-or-later
#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <time.h>

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

double processor_seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double start = now();
  work();
  return now() - start;
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

std::vector<Standing> compare_all(const std::vector<Way>& ways, unsigned rounds) {
  constexpr unsigned kWarmUp = 2;
  const std::size_t count = ways.size();
  std::vector<std::vector<double>> times(count);
  std::vector<std::vector<double>> ratios(count);
  std::vector<double> now(count);
  for (unsigned round = 0; round < rounds + kWarmUp; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t which = (i + round) % count;
      if (ways[which].prepare) ways[which].prepare();
      now[which] = processor_seconds(ways[which].work);
    }
    if (round < kWarmUp) continue;
    for (std::size_t i = 0; i < count; ++i) {
      times[i].push_back(now[i]);
      ratios[i].push_back(now[i] / now[0]);
    }
  }
  std::vector<Standing> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({estimate(times[i]), estimate(ratios[i])});
  return out;
}

std::string verdict_at_most(const Estimate& it, double limit) {
  if (it.low > limit) return "missed";
  return it.high <= limit ? "met" : "open";
}

std::string verdict_at_least(const Estimate& it, double limit) {
  if (it.high < limit) return "missed";
  return it.low >= limit ? "met" : "open";
}

std::string load_average() {
  double loads[3] = {};
  if (::getloadavg(loads, 3) != 3) return "unknown";
  return fmt::format("{:.1f}", loads[0]);
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
