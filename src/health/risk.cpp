// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/risk.hpp"

#include <cmath>
#include <span>
#include <string_view>

#include <fmt/format.h>

namespace dmremap::health {

namespace {

// Failures per drive and year with a raw value of at most `most`, and the 95 % interval.
struct Row {
  std::uint64_t most;
  double rate;
  double low;
  double high;
};
constexpr std::uint64_t kAny = ~std::uint64_t{0};

// Backblaze 2014, rounded to four digits.
constexpr Row kReallocated[] = {{0, 0.0252, 0.0228, 0.0278},    {4, 0.0274, 0.0101, 0.0597},
                                {16, 0.0750, 0.0399, 0.1283},   {70, 0.2359, 0.1643, 0.3281},
                                {260, 0.3619, 0.2608, 0.4892},  {1100, 0.5677, 0.4528, 0.7028},
                                {4500, 1.5028, 1.2682, 1.7683}, {kAny, 2.0660, 1.6810, 2.5128}};
constexpr Row kReported[] = {
    {0, 0.0281, 0.0245, 0.0322},  {1, 0.3388, 0.2233, 0.4929},  {3, 0.2406, 0.1449, 0.3758},
    {6, 0.5014, 0.3063, 0.7744},  {11, 0.3801, 0.2990, 0.4764}, {20, 0.5346, 0.4060, 0.6911},
    {35, 0.8428, 0.6505, 1.0742}, {65, 1.4429, 1.1406, 1.8008}, {kAny, 1.6191, 1.0264, 2.4294}};
constexpr Row kPending[] = {{0, 0.0255, 0.0232, 0.0281},   {2, 0.3420, 0.2272, 0.4942},
                            {6, 0.6824, 0.4108, 1.0657},   {16, 0.6108, 0.4734, 0.7757},
                            {40, 0.9565, 0.7701, 1.1744},  {100, 1.6520, 1.3284, 2.0306},
                            {250, 2.5138, 1.9772, 3.1510}, {kAny, 3.3203, 2.5884, 4.1950}};
constexpr Row kOffline[] = {
    {0, 0.0287, 0.0262, 0.0314},  {2, 0.8136, 0.4061, 1.4557},  {4, 1.1173, 0.5773, 1.9518},
    {6, 1.3559, 0.4402, 3.1641},  {8, 0.7324, 0.1510, 2.1405},  {10, 0.5777, 0.4328, 0.7557},
    {12, 1.7464, 0.4758, 4.4715}, {14, 2.6449, 0.3203, 9.5544}, {kAny, 0.7969, 0.5519, 1.1136}};
// Backblaze's fleet in 2025, all disks.
constexpr double kFleetRate = 0.0136;

const Row& row_of(std::span<const Row> table, std::uint64_t value) {
  for (const Row& row : table) {
    if (value <= row.most) return row;
  }
  return table.back();
}

// Of a constant rate per year: a rate over 1 is less than a year to live, on average.
double share_within_a_year(double rate) {
  return -std::expm1(-rate);
}

Risk unknown(std::string why) {
  Risk out;
  out.source = std::move(why);
  return out;
}

Risk between(double low_rate, double high_rate, std::string source) {
  Risk out;
  out.known = true;
  out.low_of_100 = static_cast<unsigned>(std::floor(100 * share_within_a_year(low_rate)));
  out.high_of_100 = static_cast<unsigned>(std::ceil(100 * share_within_a_year(high_rate)));
  out.source = std::move(source);
  return out;
}

struct Candidate {
  const Row* row = nullptr;
  std::string entered_with;
  bool stable = false;
};

}  // namespace

Risk risk_of(const RiskFacts& facts) {
  if (facts.medium != Medium::disk) return unknown("no table for such devices");
  Candidate worst;
  double highest_at_zero = 0;
  const auto enter = [&](std::span<const Row> table, std::uint64_t value, std::string with,
                         bool stable) {
    const Row& row = row_of(table, value);
    if (value == 0) {
      highest_at_zero = std::max(highest_at_zero, row.high);
    } else if (worst.row == nullptr || row.rate > worst.row->rate) {
      worst = {&row, std::move(with), stable};
    }
  };
  const auto attribute = [&](std::span<const Row> table, std::optional<std::uint64_t> value,
                             std::string_view number) {
    if (facts.smart_known && value) {
      enter(table, *value, fmt::format("attribute {} at {}", number, *value), facts.smart_stable);
    }
  };
  attribute(kReallocated, facts.reallocated, "5");
  attribute(kReported, facts.reported, "187");
  attribute(kPending, facts.pending, "197");
  attribute(kOffline, facts.offline, "198");
  // An error that we met was reported to the host, which is what attribute 187 counts.
  if (facts.own_unreadable > 0) {
    enter(kReported, facts.own_unreadable,
          fmt::format("{} bad blocks read as attribute 187", facts.own_unreadable),
          facts.own_stable);
  }
  if (worst.row != nullptr) {
    return between(worst.stable ? kFleetRate : worst.row->low, worst.row->high,
                   fmt::format("Backblaze 2014, {}{}", worst.entered_with,
                               worst.stable ? ", not growing; fleet of 2025" : ""));
  }
  if (highest_at_zero == 0) return unknown("no SMART, and nothing seen that a table goes by");
  return between(kFleetRate, highest_at_zero,
                 "Backblaze, fleet of 2025 and disks of 2014 without errors");
}

std::string text(const Risk& risk) {
  if (!risk.known) return fmt::format("unknown: {}", risk.source);
  return fmt::format("{} to {} of 100 such disks fail within a year ({})", risk.low_of_100,
                     risk.high_of_100, risk.source);
}

}  // namespace dmremap::health
