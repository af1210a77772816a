// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/axis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

namespace dmremap::report {

namespace {

constexpr double kStepsMost = 4;

// The smallest of 1, 2, 5, 10, 20 ..., and of their tenths and so on, that is at least as large.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    // What the logarithm rounds must not make one step more of a round number.
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

// One that divides `range` into at most kStepsMost steps, and is at least 1.
double step_of(double range) {
  return round_step(std::max(range / kStepsMost, 1.0));
}

std::string with_unit(double value, const char* unit) {
  // One digit behind the point, unless that is a zero or the number is long enough without.
  const double tenths = std::round(value * 10) / 10;
  const bool whole = value >= 100 || tenths == std::floor(tenths);
  return fmt::format("{:.{}f}{}", value, whole ? 0 : 1, unit);
}

}  // namespace

double Axis::share(double value) const {
  const double at = std::clamp(value, low, high);
  if (!logarithmic) return (at - low) / (high - low);
  return (std::log(at) - std::log(low)) / (std::log(high) - std::log(low));
}

Axis count_axis(double most) {
  const double step = step_of(std::max(most, 1.0));
  Axis out;
  out.high = std::max(std::ceil(most / step - 1e-9), 1.0) * step;
  const int steps = static_cast<int>(std::lround(out.high / step));
  for (int i = 0; i <= steps; ++i) out.ticks.push_back({i * step, short_number(i * step)});
  return out;
}

Axis room_axis(double top) {
  Axis out;
  out.high = std::max(top, 1.0);
  const double step = step_of(out.high);
  // A tick close below the last one would stand in its label.
  for (int i = 0; i * step < out.high - step / 2; ++i) {
    out.ticks.push_back({i * step, short_number(i * step)});
  }
  out.ticks.push_back({out.high, short_number(out.high)});
  return out;
}

Axis latency_axis(double least, double most) {
  const double from = std::max(least, 1.0);
  const int first = static_cast<int>(std::floor(std::log10(from)));
  const int last =
      std::max(static_cast<int>(std::ceil(std::log10(std::max(most, from)))), first + 1);
  Axis out;
  out.logarithmic = true;
  out.low = std::pow(10, first);
  out.high = std::pow(10, last);
  for (int power = first; power <= last; ++power) {
    const double at = std::pow(10, power);
    out.ticks.push_back({at, latency_text(at)});
  }
  return out;
}

Axis day_axis(double past, double future) {
  Axis out;
  out.low = -std::max(past, 1.0);
  out.high = std::max(future, 0.0);
  constexpr std::array kSteps{7, 30, 90, 180};
  int step = kSteps.back();
  for (const int one : kSteps) {
    if ((out.high - out.low) / one <= kStepsMost + 1) {
      step = one;
      break;
    }
  }
  const int last = static_cast<int>(out.high);
  for (int at = -static_cast<int>(-out.low / step) * step; at <= last; at += step) {
    const std::string days = std::to_string(std::abs(at));
    out.ticks.push_back({static_cast<double>(at), at == 0  ? "today"
                                                  : at < 0 ? "\u2212" + days
                                                           : "+" + days});
  }
  return out;
}

Axis place_axis(double top) {
  Axis out;
  out.high = std::max(top, 1e-9);
  const double step = round_step(out.high / kStepsMost);
  const int steps = static_cast<int>(std::floor(out.high / step + 1e-9));
  for (int i = 0; i <= steps; ++i) {
    const double at = std::min(i * step, out.high);
    out.ticks.push_back({at, at < 100'000 ? fmt::format("{:.4g}", at) : short_number(at)});
  }
  out.ticks.back().label += " GiB";
  return out;
}

std::string place_text(double gib) {
  if (gib >= 100'000) return short_number(gib) + " GiB";
  return gib < 1'000 ? fmt::format("{:.3g} GiB", gib) : fmt::format("{:.0f} GiB", gib);
}

std::string short_number(double value) {
  constexpr std::array kUnits{"", "k", "M", "G", "T", "P", "E"};
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return with_unit(value, kUnits[unit]);
}

std::string latency_text(double microseconds) {
  if (microseconds < 1000) return with_unit(microseconds, " \u00b5s");
  if (microseconds < 1e6) return with_unit(microseconds / 1000, " ms");
  return with_unit(microseconds / 1e6, " s");
}

}  // namespace dmremap::report
