// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/health_messages.hpp"

#include <algorithm>
#include <cmath>

#include "base/clock.hpp"
#include "base/units.hpp"

namespace dmremap::control {

namespace {

using health::Count;
using health::Level;

// A set that is a few days old and saw no growth says nothing of the years to come.
void add_forecast(const std::string& of, const std::optional<health::Forecast>& forecast,
                  std::vector<ForecastReport>& out) {
  if (!forecast) return;
  if (!forecast->growth_seen && forecast->observed_days < health::kObservedDaysLeast) return;
  out.push_back({of, forecast->low_days, forecast->high_days, health::text(*forecast, of)});
}

SmartReport report_of(const set::SmartStatus& smart) {
  SmartReport out;
  out.state = smart.state;
  out.reason = smart.reason;
  out.believed = smart.believed;
  if (smart.asked_s != 0) out.asked = format_time(smart.asked_s * kSecondNs);
  out.read_recovery_s = smart.read_recovery_s;
  out.write_recovery_s = smart.write_recovery_s;
  out.kernel_timeout_s = smart.kernel_timeout_s;
  out.advice = smart.advice;
  return out;
}

RiskReport report_of(const health::Risk& risk) {
  RiskReport out;
  if (risk.known) {
    out.low_of_100 = risk.low_of_100;
    out.high_of_100 = risk.high_of_100;
  }
  out.source = risk.source;
  out.text = health::text(risk);
  return out;
}

// In whole microseconds where the history has its codes for them.
std::uint64_t value_of(Level level, std::uint64_t stored) {
  const bool latency = level == Level::latency_median || level == Level::latency_p99;
  return latency ? static_cast<std::uint64_t>(std::llround(health::latency_us(stored))) : stored;
}

HistoryDayReport report_of(const health::Day& day) {
  HistoryDayReport out;
  out.day = day.day;
  out.span = day.span;
  out.date = format_time(day.wall_day * health::kDaySeconds * kSecondNs).substr(0, 10);
  for (std::size_t i = 0; i < health::kCounts; ++i) {
    const auto what = static_cast<Count>(i);
    if (day.count(what) != 0) out.counts[std::string(name_of(what))] = day.count(what);
  }
  for (std::size_t i = 0; i < health::kLevels; ++i) {
    const auto what = static_cast<Level>(i);
    if (const auto& level = day.level(what)) {
      out.levels[std::string(name_of(what))] = value_of(what, *level);
    }
  }
  return out;
}

}  // namespace

std::uint64_t HistoryReply::total(const std::string& count) const {
  std::uint64_t out = 0;
  const auto add = [&](const std::map<std::string, std::uint64_t>& counts) {
    const auto at = counts.find(count);
    if (at != counts.end()) out += std::min(at->second, UINT64_MAX - out);
  };
  add(older);
  for (const HistoryDayReport& day : days) add(day.counts);
  return out;
}

void to_json(nlohmann::json& json, const HistoryReply& reply) {
  json = {{"today", reply.today},
          {"older", reply.older},
          {"before", reply.before},
          {"days", reply.days},
          {"latency", reply.latency}};
}

void from_json(const nlohmann::json& json, HistoryReply& reply) {
  json.at("today").get_to(reply.today);
  json.at("older").get_to(reply.older);
  json.at("before").get_to(reply.before);
  json.at("days").get_to(reply.days);
  reply.latency.clear();
  if (const auto found = json.find("latency"); found != json.end()) found->get_to(reply.latency);
}

HealthReport report_of(const set::HealthStatus& health) {
  HealthReport out;
  out.score = health.verdict.score;
  out.verdict = health::name_of(health.verdict.verdict);
  for (const health::Reason& reason : health.verdict.reasons) {
    out.reasons.push_back(
        {std::string(health::name_of(reason.code)), reason.weight, health::text(reason)});
  }
  out.observed_days = health.observed_days;
  out.risk = report_of(health.verdict.risk);
  add_forecast("spare", health.spare, out.forecasts);
  add_forecast("table", health.table, out.forecasts);
  if (health.smart) out.smart = report_of(*health.smart);
  return out;
}

HistoryReply report_of(const health::History& history) {
  HistoryReply out;
  out.today = history.today();
  for (std::size_t i = 0; i < health::kCounts; ++i) {
    const auto what = static_cast<Count>(i);
    if (history.older(what) != 0) out.older[std::string(name_of(what))] = history.older(what);
  }
  for (std::size_t i = 0; i < health::kLevels; ++i) {
    const auto what = static_cast<Level>(i);
    if (const auto& level = history.before(what)) {
      out.before[std::string(name_of(what))] = value_of(what, *level);
    }
  }
  for (const health::Day& day : history.days()) out.days.push_back(report_of(day));
  return out;
}

std::vector<LatencyPartReport> report_of(const health::LatencyProfile& profile) {
  const auto in_us = [](const std::optional<double>& us) {
    return us ? std::optional(static_cast<std::uint64_t>(std::llround(*us))) : std::nullopt;
  };
  std::vector<LatencyPartReport> out;
  for (const health::LatencyPart& part : profile.parts()) {
    out.push_back(
        {part.sectors.first, part.sectors.count, in_us(part.typical_us), in_us(part.slowest_us)});
  }
  return out;
}

}  // namespace dmremap::control
