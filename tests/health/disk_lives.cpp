// SPDX-License-Identifier: GPL-2.0-or-later
#include "disk_lives.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace dmremap::health::calibration {

namespace {

double between(double low, double high, Random& random) {
  return std::uniform_real_distribution<double>(low, high)(random);
}

double exponential(double mean, Random& random) {
  return std::exponential_distribution<double>(1 / mean)(random);
}

double log_normal(double median, double deviation, Random& random) {
  return std::lognormal_distribution<double>(std::log(median), deviation)(random);
}

// Pareto distributed, at least 1.
double power_law(double exponent, Random& random) {
  return std::pow(between(1e-12, 1, random), -1 / exponent);
}

class SelfExcitingLife final : public DiskLife {
 public:
  explicit SelfExcitingLife(Random& random)
      : random_(random),
        background_per_day_(log_normal(1.0 / 60, 1.2, random)),
        age_days_(100 + std::weibull_distribution<double>(1.3, 1500)(random)),
        ageing_shape_(between(1, 2, random)),
        offspring_(between(0.2, 0.6, random)),
        size_exponent_(between(0.8, 1.8, random)) {
    drawn_.push_back(0);
    add_background();
  }

  BadArea next() override {
    BadArea out;
    if (!drawn_.empty() && drawn_.front() <= next_background_) {
      std::ranges::pop_heap(drawn_, std::greater<>());
      out.day = drawn_.back();
      drawn_.pop_back();
    } else {
      out.day = next_background_;
      add_background();
    }
    out.sectors = std::floor(std::min(2000.0, power_law(size_exponent_, random_)));
    const int children = std::poisson_distribution<int>(offspring_)(random_);
    for (int i = 0; i < children; ++i) {
      drawn_.push_back(out.day + 2 * (power_law(0.8, random_) - 1));
      std::ranges::push_heap(drawn_, std::greater<>());
    }
    return out;
  }

 private:
  void add_background() {
    // Inverts the integral of the hazard, rate * (1 + t / age) ^ (shape - 1).
    exposure_ += exponential(1, random_);
    next_background_ =
        age_days_ * (std::pow(1 + exposure_ * ageing_shape_ / (background_per_day_ * age_days_),
                              1 / ageing_shape_) -
                     1);
  }

  Random& random_;
  double background_per_day_;
  double age_days_;  // on day 0
  double ageing_shape_;
  double offspring_;  // areas that each one draws after it, on average
  double size_exponent_;
  double exposure_ = 0;
  double next_background_ = 0;
  std::vector<double> drawn_;  // a heap, the earliest first
};

class CalmAndActiveLife final : public DiskLife {
 public:
  explicit CalmAndActiveLife(Random& random)
      : random_(random),
        calm_per_day_(log_normal(1.0 / 150, 1, random)),
        active_per_day_(log_normal(1.0 / 12, 1, random)),
        calm_days_(log_normal(100, 0.7, random)),
        active_days_(log_normal(15, 0.7, random)),
        ageing_per_day_(between(0, 0.3, random) / 365),
        share_of_large_(between(0, 0.4, random)) {}

  BadArea next() override {
    BadArea out{day_, size()};
    draw_next_day();
    return out;
  }

 private:
  double size() {
    if (between(0, 1, random_) < share_of_large_) {
      return std::ceil(log_normal(20, 1.2, random_));
    }
    return 1 + std::geometric_distribution<int>(0.5)(random_);
  }

  void draw_next_day() {
    for (;;) {
      const double rate =
          (active_ ? active_per_day_ : calm_per_day_) * std::exp(ageing_per_day_ * day_);
      const double wait = exponential(1 / rate, random_);
      const double change = exponential(active_ ? active_days_ : calm_days_, random_);
      if (wait <= change) {
        day_ += wait;
        return;
      }
      day_ += change;
      active_ = !active_;
    }
  }

  Random& random_;
  double calm_per_day_;
  double active_per_day_;
  double calm_days_;
  double active_days_;
  double ageing_per_day_;
  double share_of_large_;
  double day_ = 0;
  bool active_ = true;
};

// Times between areas are Weibull distributed with a shape below 1, so that what just happened
// happens again soon, and get shorter as the disk ages.
class RenewalLife final : public DiskLife {
 public:
  explicit RenewalLife(Random& random)
      : random_(random),
        shape_(between(0.4, 0.9, random)),
        scale_days_(log_normal(33, 1.2, random)),
        ageing_days_(between(600, 4000, random)),
        size_mean_(log_normal(4, 0.9, random)) {}

  BadArea next() override {
    const BadArea out{day_, std::ceil(exponential(size_mean_, random_))};
    day_ +=
        std::weibull_distribution<double>(shape_, scale_days_)(random_) / (1 + day_ / ageing_days_);
    return out;
  }

 private:
  Random& random_;
  double shape_;
  double scale_days_;
  double ageing_days_;
  double size_mean_;
  double day_ = 0;
};

// The logarithm of the rate wanders day by day and is drawn back to the disk's own mean
// (an Ornstein-Uhlenbeck process); sizes are gamma distributed.
class WanderingLife final : public DiskLife {
 public:
  explicit WanderingLife(Random& random)
      : random_(random),
        log_rate_mean_(std::log(log_normal(1.0 / 34, 0.9, random))),
        deviation_(between(0.5, 1.5, random)),
        memory_days_(log_normal(90, 0.6, random)),
        size_shape_(between(0.3, 1, random)),
        size_scale_(log_normal(8, 0.8, random)),
        wandering_(std::normal_distribution<double>()(random)) {}

  BadArea next() override {
    const BadArea out{
        day_, 1 + std::floor(std::gamma_distribution<double>(size_shape_, size_scale_)(random_))};
    double left = exponential(1, random_);  // until the rate has added up to this
    for (;;) {
      const double rate = std::exp(log_rate_mean_ + deviation_ * wandering_);
      const double step = std::min(1.0, left / rate);
      left -= step * rate;
      day_ += step;
      wander(step);
      if (left <= 1e-12) return out;
    }
  }

 private:
  void wander(double days) {
    const double kept = std::exp(-days / memory_days_);
    wandering_ = kept * wandering_ +
                 std::sqrt(1 - kept * kept) * std::normal_distribution<double>()(random_);
  }

  Random& random_;
  double log_rate_mean_;
  double deviation_;  // of the logarithm
  double memory_days_;
  double size_shape_;
  double size_scale_;
  double wandering_;
  double day_ = 0;
};

// Damaged spots appear, more and more often; from each one, areas of its own size come off within
// some weeks, as many as it has (a Neyman-Scott process).
class SpottedLife final : public DiskLife {
 public:
  explicit SpottedLife(Random& random)
      : random_(random),
        spots_per_day_(log_normal(1.0 / 120, 1.1, random)),
        ageing_days_(between(400, 3000, random)),
        areas_(log_normal(0.7, 0.5, random)),
        spread_days_(log_normal(15, 0.8, random)) {
    add_spot();
  }

  BadArea next() override {
    while (coming_.empty() || coming_.front().day > next_spot_) add_spot();
    std::ranges::pop_heap(coming_, later);
    const BadArea out = coming_.back();
    coming_.pop_back();
    return out;
  }

 private:
  static bool later(const BadArea& a, const BadArea& b) { return a.day > b.day; }

  void add_spot() {
    const double size = log_normal(3, 1.2, random_);
    const int more = std::poisson_distribution<int>(areas_)(random_);
    for (int i = 0; i <= more; ++i) {
      const double day = next_spot_ + (i == 0 ? 0 : exponential(spread_days_, random_));
      coming_.push_back({day, 1 + std::floor(exponential(size, random_))});
      std::ranges::push_heap(coming_, later);
    }
    next_spot_ += exponential(1 / (spots_per_day_ * (1 + next_spot_ / ageing_days_)), random_);
  }

  Random& random_;
  double spots_per_day_;
  double ageing_days_;
  double areas_;  // of a spot after its first, on average
  double spread_days_;
  double next_spot_ = 0;
  std::vector<BadArea> coming_;  // a heap, the earliest first
};

}  // namespace

std::string_view name_of(Source source) {
  switch (source) {
    case Source::test:
      return "self-exciting";
    case Source::regimes:
      return "calm-and-active";
    case Source::renewals:
      return "renewals";
    case Source::wandering:
      return "wandering";
    case Source::spots:
      return "damaged spots";
  }
  return "?";
}

std::unique_ptr<DiskLife> draw_life(Source source, Random& random) {
  if (source == Source::test) return std::make_unique<SelfExcitingLife>(random);
  if (source == Source::regimes) return std::make_unique<CalmAndActiveLife>(random);
  if (source == Source::renewals) return std::make_unique<RenewalLife>(random);
  if (source == Source::wandering) return std::make_unique<WanderingLife>(random);
  return std::make_unique<SpottedLife>(random);
}

ForecastCase draw_case(Source source, Random& random) {
  const auto life = draw_life(source, random);
  const double made = between(0, 60, random);
  const double looked = made + between(7, 365, random);
  ForecastCase out;
  out.seen.observed_days = looked - made;
  out.room = std::floor(std::exp(between(std::log(4.0), std::log(2000.0), random)));
  double used = 0;
  for (;;) {
    const BadArea area = life->next();
    if (area.day < made) continue;
    if (area.day >= looked) {
      used += area.sectors;
      if (used < out.room) continue;
      out.truth_days = area.day - looked;
      return out;
    }
    // A history knows days.
    const double days_ago = std::floor(looked - area.day);
    if (out.seen.rises.empty() || out.seen.rises.back().days_ago != days_ago) {
      out.seen.rises.push_back({days_ago, 0});
    }
    out.seen.rises.back().amount += area.sectors;
  }
}

double share_with_more(Source source, double days, unsigned disks, Random& random) {
  unsigned more = 0;
  for (unsigned i = 0; i < disks; ++i) {
    const auto life = draw_life(source, random);
    const double first = life->next().day;
    more += life->next().day - first <= days;
  }
  return static_cast<double>(more) / disks;
}

}  // namespace dmremap::health::calibration
