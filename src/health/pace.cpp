// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/pace.hpp"

#include <algorithm>
#include <initializer_list>

#include "base/units.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint64_t kMinuteNs = 60 * kSecondNs;
// How often foreground is looked for while it keeps the scanner waiting.
constexpr std::uint64_t kLookNs = kIdleNs / 4;
// A read that hangs for hours is no reason to wait for as long after it.
constexpr std::uint64_t kLongestReadNs = kMinuteNs;

// What a collision with a read under load counts (pace_credit.hpp).
constexpr double kLoadedWeight = 0.5;

std::uint64_t less_back(std::uint64_t stamp, std::uint64_t back) {
  return stamp - std::min(stamp, back);
}

}  // namespace

std::string_view name_of(PaceWait wait) {
  switch (wait) {
    case PaceWait::none:
      return "none";
    case PaceWait::reading:
      return "reading";
    case PaceWait::held:
      return "held";
    case PaceWait::window:
      return "window";
    case PaceWait::rate:
      return "rate";
    case PaceWait::gap:
      return "gap";
    case PaceWait::foreground:
      return "foreground";
    case PaceWait::credit:
      return "credit";
  }
  return "";
}

Pace::Pace(PacePolicy policy, std::uint64_t now_ns)
    : policy_(policy), now_ns_(now_ns), idle_since_ns_(now_ns), idle_at_ns_(now_ns) {}

void Pace::set_slowdown(unsigned halvings) {
  slowdown_ = std::min(halvings, kSlowdownMax);
  credit_.set_slowdown(slowdown_);
}

// A monotonic clock does not go back, and if one does, all waits last as long as they would have.
std::uint64_t Pace::note_time(std::uint64_t now_ns) {
  const std::uint64_t passed_ns = now_ns - std::min(now_ns, now_ns_);
  if (now_ns < now_ns_) {
    const std::uint64_t back = now_ns_ - now_ns;
    for (std::uint64_t* const stamp : {&idle_since_ns_, &idle_at_ns_, &begun_ns_, &gap_until_ns_,
                                       &rate_until_ns_, &share_until_ns_}) {
      *stamp = less_back(*stamp, back);
    }
  }
  now_ns_ = now_ns;
  return passed_ns;
}

std::uint64_t Pace::note(std::uint64_t now_ns, const Foreground& now) {
  const std::uint64_t passed_ns = note_time(now_ns);
  const bool comparable = counted_ && now.arrived >= foreground_.arrived;
  const std::uint64_t arrived = comparable ? now.arrived - foreground_.arrived : 0;
  requests_ += arrived;
  if (comparable) note_latency(now);
  if (arrived != 0 || now.in_flight != 0 || !comparable) {
    idle_since_ns_ = now_ns_;
  } else {
    credit_.earn_idle(passed_ns);
    if (now_ns_ >= idle_since_ns_ + kIdleNs) idle_at_ns_ = now_ns_;
  }
  foreground_ = now;
  counted_ = true;
  return arrived;
}

void Pace::note_latency(const Foreground& now) {
  const std::uint64_t latency_ns =
      now.latency_ns - std::min(now.latency_ns, foreground_.latency_ns);
  credit_.earn(now.arrived - foreground_.arrived, latency_ns);
  const std::uint64_t done = now.arrived - std::min(now.arrived, now.in_flight);
  const std::uint64_t was =
      foreground_.arrived - std::min(foreground_.arrived, foreground_.in_flight);
  latency_ns_ += static_cast<double>(latency_ns);
  latency_requests_ += static_cast<double>(done - std::min(done, was));
  if (latency_requests_ > 1000) {
    latency_ns_ /= 2;
    latency_requests_ /= 2;
  }
}

PaceDecision Pace::ask(const PaceMoment& moment) {
  credit_.set_overdue(moment.overdue);
  const std::uint64_t arrived = note(moment.now_ns, moment.foreground);
  if (arrived != 0 && !reading_) charge(arrived, 0, 0);
  return decide(moment);
}

PaceDecision Pace::decide(const PaceMoment& moment) const {
  const std::uint64_t now_ns = moment.now_ns;
  const auto wait = [](std::uint64_t until_ns, PaceWait why) {
    return PaceDecision{false, {}, until_ns, why};
  };
  if (reading_) return wait(now_ns + kLookNs, PaceWait::reading);
  if (moment.hold != PaceHold::none) return wait(now_ns + kSecondNs, PaceWait::held);
  if (!policy_.window.contains(moment.minute_of_day % kMinutesPerDay)) {
    // No longer than a minute, since the clock on the wall may be set.
    return wait(now_ns + kMinuteNs, PaceWait::window);
  }
  if (now_ns < rate_until_ns_) return wait(rate_until_ns_, PaceWait::rate);
  if (!credit_.covers_collision()) return wait(now_ns + kLookNs, PaceWait::credit);
  if (now_ns >= idle_since_ns_ + kIdleNs) {
    if (now_ns < gap_until_ns_) return wait(gap_until_ns_, PaceWait::gap);
    return {true, kScanPiece, 0, PaceWait::none};
  }
  const std::uint64_t idle_ns = std::min(idle_since_ns_ + kIdleNs, now_ns + kLookNs);
  const bool loaded = now_ns >= idle_at_ns_ + kLoadedNs;
  if (!moment.overdue || !loaded) return wait(idle_ns, PaceWait::foreground);
  if (now_ns < share_until_ns_)
    return wait(std::min(idle_ns, share_until_ns_), PaceWait::foreground);
  return {true, kScanSegment, 0, PaceWait::none};
}

void Pace::begun(std::uint64_t now_ns, const Foreground& foreground) {
  const std::uint64_t arrived = note(now_ns, foreground);
  if (arrived != 0) charge(arrived, 0, 0);
  reading_ = true;
  begun_ns_ = now_ns_;
  queue_ = foreground.in_flight;
}

void Pace::finished(std::uint64_t now_ns, const Foreground& foreground, std::uint64_t bytes) {
  const std::uint64_t arrived = note(now_ns, foreground);
  if (!reading_) return;
  reading_ = false;
  const auto took_ns = static_cast<double>(std::min(now_ns_ - begun_ns_, kLongestReadNs));
  const double device_ns = device_time_of(took_ns);
  charge(arrived, took_ns, device_ns);
  const auto later = [](std::uint64_t from_ns, double by_ns) {
    return from_ns + static_cast<std::uint64_t>(by_ns);
  };
  const double slower = static_cast<double>(1U << slowdown_);
  gap_until_ns_ = later(now_ns_, std::max(device_ns, static_cast<double>(kGapMinNs)) * slower);
  share_until_ns_ = later(begun_ns_, device_ns * kLoadedShare * slower);
  if (policy_.rate != 0) {
    const double spacing_ns = static_cast<double>(bytes) * 1e9 / static_cast<double>(policy_.rate);
    rate_until_ns_ = later(begun_ns_, std::min(spacing_ns, static_cast<double>(kMinuteNs)));
  }
}

// What of the time of a read was the device's work on it. The requests before it in the queue were
// served first, the one that was being served with half of its time on average, and the time
// between two that are finished is the mean latency over the length of the queue (Little's law).
double Pace::device_time_of(double took_ns) const {
  if (queue_ == 0 || latency_requests_ < 1) return took_ns;
  const auto queue = static_cast<double>(queue_);
  const double service_ns = latency_ns_ / latency_requests_ / queue;
  return std::max(took_ns - (queue - 0.5) * service_ns, took_ns / (queue + 1));
}

// `arrived` requests came, during a read that took `took_ns` or, if that is 0, after one.
void Pace::charge(std::uint64_t arrived, double took_ns, double device_ns) {
  if (took_ns == 0) {
    if (away_ns_ > 0) {
      ++collisions_;
      credit_.charge(1, away_ns_);
    }
    away_ns_ = 0;
    return;
  }
  const auto met = static_cast<double>(arrived + queue_);
  if (met == 0) {
    away_ns_ = std::max(away_ns_, took_ns);
    return;
  }
  away_ns_ = 0;
  collisions_ += arrived + queue_;
  // In a queue that takes far longer than this read each request is delayed by a small part of what
  // it takes anyway, and the percentile by no more than that.
  double weight = 1;
  if (queue_ != 0 && latency_requests_ >= 1) {
    weight = std::min(1.0, device_ns * latency_requests_ / std::max(latency_ns_, 1.0));
    weight *= kLoadedWeight;
  }
  credit_.charge(met * weight, met * std::max(device_ns, took_ns - device_ns));
}

}  // namespace dmremap::health
