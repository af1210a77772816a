// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/chart.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/units.hpp"
#include "report/html.hpp"

namespace dmremap::report {

namespace {

// In the units of the viewBox, which are about pixels where a chart has its usual width.
constexpr double kLeft = 50;
constexpr double kTop = 12;
constexpr double kBottom = 26;
constexpr double kRight = 14;
constexpr double kNarrow = 340;
constexpr double kWide = 480;
constexpr double kHeight = 150;
constexpr double kWideHeight = 200;
constexpr double kBarLeast = 2.4;
constexpr double kCharacter = 7;  // of a label, at most as a rule
constexpr double kPoint = 1.9;
constexpr double kGibOfSector = static_cast<double>(kSectorBytes) / static_cast<double>(kGiB);
// Room to the right of today for a forecast, in days.
constexpr double kFutureDays = 365;

class Plot {
 public:
  Plot(double width, double height, Axis x, Axis y)
      : width_(width), height_(height), x_(std::move(x)), y_(std::move(y)) {}

  [[nodiscard]] double x(double day) const {
    return kLeft + x_.share(day) * (width_ - kLeft - kRight);
  }
  [[nodiscard]] double y(double value) const {
    return height_ - kBottom - y_.share(value) * (height_ - kTop - kBottom);
  }
  [[nodiscard]] double left() const { return kLeft; }
  [[nodiscard]] double right() const { return width_ - kRight; }
  [[nodiscard]] double floor() const { return height_ - kBottom; }
  [[nodiscard]] const Axis& days() const { return x_; }

  void box(const char* kind, double left, double top, double right, double bottom) {
    body_ += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", kind,
        left, top, std::max(right - left, 0.0), std::max(bottom - top, 0.0));
  }
  void path(const char* kind, const std::string& data) {
    body_ += fmt::format("<path class=\"{}\" d=\"{}\"/>", kind, data);
  }
  void dot(const char* kind, double day, double value, double radius = 3) {
    body_ += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:g}\"/>", kind,
                         x(day), y(value), radius);
  }
  void text(const char* kind, const char* anchor, double left, double top,
            const std::string& words) {
    body_ +=
        fmt::format("<text class=\"{}\" text-anchor=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                    kind, anchor, left, top, escape(words));
  }

  // What is not known between two places of the axis, with words for it where there is room.
  void shade(double from, double to, const char* words) {
    box("unobserved", x(from), kTop, x(to), floor());
    const double room = x(to) - x(from);
    if (room > 90) text("label", "middle", x(from) + room / 2, kTop + 14, words);
  }

  // The days on which nobody looked: before the set was made.
  void shade_before(double first_observed) {
    if (x(first_observed) - left() >= 1) shade(x_.low, first_observed, "not observed");
  }

  // What stands behind the data: lines across at the ticks.
  void draw_axes() {
    for (const Tick& tick : y_.ticks) {
      path(tick.at == y_.low ? "axis" : "grid",
           fmt::format("M{:.1f} {:.1f}H{:.1f}", left(), y(tick.at), right()));
      text("label", "end", left() - 6, y(tick.at) + 4, tick.label);
    }
    for (const Tick& tick : x_.ticks) {
      path("axis", fmt::format("M{:.1f} {:.1f}v4", x(tick.at), floor()));
      // A label that is wide may not fit beside the last tick either.
      const double half = kCharacter / 2 * static_cast<double>(tick.label.size());
      const bool at_end = x(tick.at) > right() - 12 || x(tick.at) + half > width_ - 2;
      const char* anchor = at_end ? "end" : "middle";
      const double shift = *anchor == 'e' ? kRight - 4 : 0;
      text("label", anchor, x(tick.at) + shift, floor() + 17, tick.label);
    }
  }

  [[nodiscard]] std::string html(const std::string& what) const {
    return fmt::format(
        "<svg class=\"chart\" viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">{}</svg>\n",
        width_, height_, escape(what), body_);
  }

 private:
  double width_;
  double height_;
  Axis x_;
  Axis y_;
  std::string body_;
};

double past_of(const Period& period) {
  return static_cast<double>(period.days - 1);
}

double first_observed(const Period& period) {
  return -static_cast<double>(period.observed == 0 ? 0 : period.observed - 1);
}

double day_of(std::uint64_t ago) {
  return -static_cast<double>(ago);
}

// A level as stairs that go on until today.
void draw_steps(Plot& plot, const char* kind, const std::vector<LevelStep>& steps) {
  if (steps.empty()) return;
  std::string data;
  for (const LevelStep& step : steps) {
    const double x = plot.x(day_of(step.ago));
    const double y = plot.y(static_cast<double>(step.value));
    data +=
        data.empty() ? fmt::format("M{:.1f} {:.1f}", x, y) : fmt::format("H{:.1f}V{:.1f}", x, y);
  }
  plot.path(kind, data + fmt::format("H{:.1f}", plot.x(0)));
  plot.dot(kind, 0, static_cast<double>(steps.back().value));
}

std::uint64_t highest(const std::vector<LevelStep>& steps) {
  std::uint64_t out = 0;
  for (const LevelStep& step : steps) out = std::max(out, step.value);
  return out;
}

// Parts that lie beside each other and are not read yet are one shade.
void shade_unread(Plot& plot, const std::vector<control::LatencyPartReport>& parts) {
  for (auto at = parts.begin(); at != parts.end();) {
    const auto is_read = [](const control::LatencyPartReport& part) {
      return part.typical_us.has_value();
    };
    const auto from = std::find_if_not(at, parts.end(), is_read);
    at = std::find_if(from, parts.end(), is_read);
    if (from != at) plot.shade(begin_gib(*from), end_gib(*(at - 1)), "not read yet");
  }
}

// Stairs, with gaps where nothing is known.
void draw_typical(Plot& plot, const std::vector<control::LatencyPartReport>& parts) {
  std::string data;
  bool draws = false;
  for (const auto& part : parts) {
    if (part.typical_us) {
      const double y = plot.y(static_cast<double>(*part.typical_us));
      data += draws ? fmt::format("V{:.1f}", y)
                    : fmt::format("M{:.1f} {:.1f}", plot.x(begin_gib(part)), y);
      data += fmt::format("H{:.1f}", plot.x(end_gib(part)));
    }
    draws = part.typical_us.has_value();
  }
  plot.path("typical", data);
}

// The days on which the room may be used up, as a wedge from what is used today.
void draw_forecast(Plot& plot, double used, double room, const ForecastDays& forecast) {
  const double horizon = plot.days().high;
  const double low = std::clamp(forecast.low, 0.0, 1e9);
  const double high = std::max(forecast.high.value_or(1e9), low);
  // Where the two edges of the wedge leave the chart: at its top, or at its right.
  const auto edge = [&](double days) {
    const double at = std::min(days, horizon);
    const double share = days <= 0 ? 1 : at / days;
    return std::pair{plot.x(at), plot.y(used + (room - used) * share)};
  };
  const auto [low_x, low_y] = edge(low);
  const auto [high_x, high_y] = edge(high);
  const bool corner = low < horizon && high > horizon;
  plot.path("forecast",
            fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}{}L{:.1f} {:.1f}Z", plot.x(0), plot.y(used),
                        low_x, low_y, corner ? fmt::format("H{:.1f}", plot.right()) : std::string(),
                        high_x, high_y));
}

}  // namespace

std::string draw_counts(const std::vector<CountedDays>& days, const Period& period,
                        const std::string& what) {
  const auto share_of = [](const CountedDays& day) {
    return static_cast<double>(day.count) / static_cast<double>(day.span);
  };
  double most = 0;
  for (const CountedDays& day : days) most = std::max(most, share_of(day));
  Axis x = day_axis(past_of(period), 0);
  // Half a day on each side, so that the bars of the first day and of today are whole.
  x.low -= 0.5;
  x.high += 0.5;
  Plot plot(kNarrow, kHeight, x, count_axis(most));
  plot.shade_before(first_observed(period) - 0.5);
  plot.draw_axes();
  for (const CountedDays& day : days) {
    const double span = static_cast<double>(day.span);
    const double left = plot.x(day_of(day.ago) - span + 0.5);
    const double right = plot.x(day_of(day.ago) + 0.5);
    const double widen = std::max(kBarLeast - (right - left), 0.0) / 2;
    const double gap = right - left > 6 ? 1 : 0;
    // A small count beside a large one must not vanish.
    const double top = std::min(plot.y(share_of(day)), plot.floor() - 2);
    plot.box("bar", left - widen + gap, top, right + widen - gap, plot.floor());
  }
  return plot.html(what);
}

std::string draw_room(const std::vector<LevelStep>& steps, const Period& period,
                      std::optional<double> room, const std::optional<ForecastDays>& forecast,
                      const std::string& what) {
  const double used = steps.empty() ? 0 : static_cast<double>(steps.back().value);
  const double most = static_cast<double>(highest(steps));
  const bool foresees = forecast && room && *room > used;
  Plot plot(kWide, kWideHeight, day_axis(past_of(period), foresees ? kFutureDays : 0),
            room ? room_axis(std::max(*room, most)) : count_axis(most));
  plot.shade_before(first_observed(period));
  plot.draw_axes();
  if (foresees) draw_forecast(plot, used, *room, *forecast);
  if (room) {
    const double y = plot.y(*room);
    plot.path("full", fmt::format("M{:.1f} {:.1f}H{:.1f}", plot.left(), y, plot.right()));
  }
  plot.path("today", fmt::format("M{:.1f} {:.1f}V{:.1f}", plot.x(0), kTop, plot.floor()));
  draw_steps(plot, "used", steps);
  return plot.html(what);
}

std::string draw_latency(const std::vector<LevelStep>& median, const std::vector<LevelStep>& p99,
                         const Period& period, const std::string& what) {
  std::uint64_t least = UINT64_MAX;
  for (const auto* steps : {&median, &p99}) {
    for (const LevelStep& step : *steps) least = std::min(least, step.value);
  }
  const auto most = static_cast<double>(std::max(highest(median), highest(p99)));
  Plot plot(kWide, kWideHeight, day_axis(past_of(period), 0),
            latency_axis(static_cast<double>(least), most));
  plot.shade_before(first_observed(period));
  plot.draw_axes();
  draw_steps(plot, "median", median);
  draw_steps(plot, "p99", p99);
  return plot.html(what);
}

double begin_gib(const control::LatencyPartReport& part) {
  return static_cast<double>(part.sector.value) * kGibOfSector;
}

double end_gib(const control::LatencyPartReport& part) {
  return begin_gib(part) + static_cast<double>(part.count.value) * kGibOfSector;
}

std::string draw_disk_latency(const std::vector<control::LatencyPartReport>& parts,
                              const std::string& what) {
  double least = HUGE_VAL;
  double most = 0;
  double top = 0;
  for (const auto& part : parts) {
    top = std::max(top, end_gib(part));
    if (part.typical_us) least = std::min(least, static_cast<double>(*part.typical_us));
    for (const auto& us : {part.typical_us, part.slowest_us}) {
      if (us) most = std::max(most, static_cast<double>(*us));
    }
  }
  Plot plot(kWide, kWideHeight, place_axis(top), latency_axis(std::min(least, most), most));
  shade_unread(plot, parts);
  plot.draw_axes();
  draw_typical(plot, parts);
  for (const auto& part : parts) {
    if (!part.slowest_us) continue;
    const double middle = (begin_gib(part) + end_gib(part)) / 2;
    plot.dot("slowest", middle, static_cast<double>(*part.slowest_us), kPoint);
  }
  return plot.html(what);
}

}  // namespace dmremap::report
