// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/forecast.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace dmremap::health {

namespace {

// --- what is assumed before anything was seen ---

// The rate of episodes of a disk that has begun to fail, a day: gamma distributed. Of such disks
// 55 to 62 % have more errors within a month (SIGMETRICS 2007): (b / (b + 30)) ^ a = 0.42. The
// small shape says that they differ much.
constexpr double kRateShape = 0.5;
constexpr double kRateDays = 6.4;
// An episode counts as this much of an independent one, seen or to come: episodes attract each
// other, since what follows from one cause is spread over weeks.
constexpr double kIndependence = 0.9;
// What was seen loses half of its weight in this time.
constexpr double kHalfLifeDays = 365;
// The rate to come is another one than it was: the deviation of the logarithm of the factor.
constexpr double kDriftDeviation = 0.25;
// The logarithm of what an episode takes: normal, with normal and inverse gamma priors. Most
// affected disks have fewer than 50 errors in years.
constexpr double kSizeLogMean = 1.1;
constexpr double kSizeMeanWeight = 0.5;
constexpr double kSizeShape = 2.0;
constexpr double kSizeScale = 2.0;
constexpr double kSizeDeviationMost = 2.5;
// Disks age: the rate goes with (1 + t / kAgeDays) ^ g. g is normal, and not below 0: disks do not
// get younger.
constexpr double kAgeDays = 1000;
constexpr double kAgeingMean = 0.8;
constexpr double kAgeingDeviation = 0.7;

constexpr std::size_t kFutures = 256;
// Episodes of one future that are drawn one by one; the rest goes by their mean.
constexpr std::size_t kDrawnEpisodes = 64;

// --- random draws: SplitMix64, so that a forecast is the same everywhere ---

class Draws {
 public:
  double uniform() {  // in (0, 1)
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ z >> 30U) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27U) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    return (static_cast<double>(z >> 11U) + 0.5) * 0x1.0p-53;
  }
  double normal() {
    if (spare_) {
      const double out = *spare_;
      spare_.reset();
      return out;
    }
    const double radius = std::sqrt(-2 * std::log(uniform()));
    const double angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }
  // Marsaglia and Tsang, ACM TOMS 26 (2000); shapes below 1 by the usual power of a uniform.
  double gamma(double shape) {
    if (shape < 1) return gamma(shape + 1) * std::pow(uniform(), 1 / shape);
    const double d = shape - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal();
      const double v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }

 private:
  std::uint64_t state_ = 20260101;
  std::optional<double> spare_;
};

// --- what was seen ---

struct Episodes {
  std::uint32_t count = 0;
  double weight = 0;         // episodes, the newer the heavier
  double days = 0;           // observed days, weighted alike
  double log_size_mean = 0;  // of the episodes
  double log_size_squares = 0;
};

Episodes episodes_of(const Growth& growth) {
  Episodes out;
  std::vector<double> logs;
  const double decay = std::numbers::ln2 / kHalfLifeDays;
  double size = 0;
  for (std::size_t i = 0; i < growth.rises.size(); ++i) {
    size += growth.rises[i].amount;
    const bool last = i + 1 == growth.rises.size() ||
                      growth.rises[i].days_ago - growth.rises[i + 1].days_ago > kEpisodeGapDays;
    if (!last) continue;
    logs.push_back(std::log(std::max(size, 1.0)));
    out.weight += std::exp(-decay * growth.rises[i].days_ago);
    size = 0;
  }
  out.count = static_cast<std::uint32_t>(logs.size());
  out.days = -std::expm1(-decay * growth.observed_days) / decay;
  for (const double log : logs) out.log_size_mean += log / static_cast<double>(logs.size());
  for (const double log : logs) {
    out.log_size_squares += (log - out.log_size_mean) * (log - out.log_size_mean);
  }
  return out;
}

// --- what it leaves open ---

struct Posterior {
  double rate_shape;
  double rate_days;
  double size_mean;
  double size_weight;
  double size_shape;
  double size_scale;
};

Posterior posterior_of(const Episodes& seen) {
  const double n = seen.count;
  const double off = seen.log_size_mean - kSizeLogMean;
  return {kRateShape + kIndependence * seen.weight,
          kRateDays + kIndependence * seen.days,
          (kSizeMeanWeight * kSizeLogMean + n * seen.log_size_mean) / (kSizeMeanWeight + n),
          kSizeMeanWeight + n,
          kSizeShape + n / 2,
          kSizeScale + seen.log_size_squares / 2 +
              kSizeMeanWeight * n * off * off / (2 * (kSizeMeanWeight + n))};
}

// How many episodes use up the room, if these are of a log-normal size.
double episodes_until_full(double room, double log_mean, double deviation, Draws& draws) {
  double used = 0;
  for (std::size_t i = 0; i < kDrawnEpisodes; ++i) {
    used += std::max(1.0, std::exp(log_mean + deviation * draws.normal()));
    if (used >= room) return static_cast<double>(i + 1);
  }
  return kDrawnEpisodes * room / used;
}

// The days until one possible future has used up the room.
double days_until_full(const Posterior& open, double room, Draws& draws) {
  const double rate =
      draws.gamma(open.rate_shape) / open.rate_days * std::exp(kDriftDeviation * draws.normal());
  const double deviation =
      std::min(kSizeDeviationMost, std::sqrt(open.size_scale / draws.gamma(open.size_shape)));
  const double log_mean = open.size_mean + deviation / std::sqrt(open.size_weight) * draws.normal();
  const double episodes = episodes_until_full(room, log_mean, deviation, draws);
  const double days =
      draws.gamma(kIndependence * episodes) / (kIndependence * std::max(rate, 1e-12));
  // `days` is time at today's rate; ageing makes it pass faster.
  const double power = 1 + std::max(0.0, kAgeingMean + kAgeingDeviation * draws.normal());
  return kAgeDays * (std::pow(1 + power * days / kAgeDays, 1 / power) - 1);
}

}  // namespace

Growth growth_of(const History& history, Level what) {
  Growth out;
  std::optional<std::uint64_t> last = history.before(what);
  // Since when it is known, or kept.
  double since = std::max(0.0, history.observed_days() - kHistoryDays);
  for (const Day& day : history.days()) {
    if (!day.level(what)) continue;
    if (!last) since = day.day;
    if (last && *day.level(what) > *last) {
      out.rises.push_back({static_cast<double>(history.today() - day.day),
                           static_cast<double>(*day.level(what) - *last)});
    }
    last = day.level(what);
  }
  if (last) out.observed_days = history.observed_days() - since;
  return out;
}

std::uint32_t episodes_in(const Growth& growth) {
  return episodes_of(growth).count;
}

Forecast forecast(const Growth& growth, double room) {
  Forecast out;
  const Episodes seen = episodes_of(growth);
  out.growth_seen = seen.count > 0;
  out.episodes = seen.count;
  out.observed_days = growth.observed_days;
  if (!(room > 0)) {
    out.high_days = 0;
    return out;
  }
  const Posterior open = posterior_of(seen);
  Draws draws;
  std::array<double, kFutures> days{};
  for (double& one : days) one = days_until_full(open, room, draws);
  std::ranges::sort(days);
  const auto quantile = [&days](double q) {
    return days[static_cast<std::size_t>(std::lround(q * (kFutures + 1))) - 1];
  };
  out.median_days = quantile(0.5);
  out.low_days = quantile(out.growth_seen ? 0.05 : 0.1);
  if (out.growth_seen) out.high_days = quantile(0.95);
  return out;
}

namespace {

std::string days_text(double days) {
  if (days > kForecastHorizonDays) return "more than 10 years";
  return fmt::format("{:.0f} days", std::floor(days));
}

}  // namespace

std::string text(const Forecast& forecast, std::string_view what) {
  if (forecast.high_days && *forecast.high_days <= 0) return fmt::format("{} is full", what);
  if (!forecast.growth_seen) {
    return fmt::format(
        "no growth seen in {:.0f} days: {} lasts at least {} (90 %)", forecast.observed_days, what,
        forecast.low_days > kForecastHorizonDays ? "10 years" : days_text(forecast.low_days));
  }
  if (forecast.low_days > kForecastHorizonDays) {
    return fmt::format("{} full in more than 10 years at this growth (95 %)", what);
  }
  if (*forecast.high_days > kForecastHorizonDays) {
    return fmt::format("{} full in {:.0f} days to more than 10 years at this growth (90 %)", what,
                       std::floor(forecast.low_days));
  }
  return fmt::format("{} full in {:.0f} to {:.0f} days at this growth (90 %)", what,
                     std::floor(forecast.low_days), std::ceil(*forecast.high_days));
}

}  // namespace dmremap::health
