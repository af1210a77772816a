// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_surroundings.hpp"

#include <algorithm>

namespace dmremap::health {

std::vector<Surroundings::Interval>::const_iterator Surroundings::from(
    std::uint32_t segment) const {
  return std::ranges::upper_bound(added_, segment, {}, &Interval::end);
}

bool Surroundings::added(std::uint32_t segment) const {
  const auto it = from(segment);
  return it != added_.end() && it->first <= segment;
}

void Surroundings::insert(Interval interval) {
  std::vector<Interval> rest;
  rest.reserve(added_.size() + 1);
  for (const Interval& it : added_) {
    if (it.end < interval.first || it.first > interval.end) {
      rest.push_back(it);
    } else {
      interval.first = std::min(interval.first, it.first);
      interval.end = std::max(interval.end, it.end);
    }
  }
  rest.insert(std::ranges::lower_bound(rest, interval.first, {}, &Interval::first), interval);
  added_ = std::move(rest);
}

void Surroundings::mark_read(std::uint32_t segment) {
  if (added_.size() < kIntervalsMax) insert({segment, segment + 1});
}

void Surroundings::add(std::uint32_t first, std::uint32_t end) {
  if (first >= end || added_.size() >= kIntervalsMax) return;
  std::vector<Interval> gaps;
  std::uint32_t at = first;
  for (auto it = from(first); it != added_.end() && it->first < end; ++it) {
    if (at < it->first) gaps.push_back({at, it->first});
    at = it->end;
  }
  if (at < end) gaps.push_back({at, end});
  if (pending_.size() + gaps.size() > kIntervalsMax) return;
  pending_.insert(pending_.end(), gaps.begin(), gaps.end());
  insert({first, end});
}

std::optional<std::uint32_t> Surroundings::take() {
  if (pending_.empty()) return std::nullopt;
  Interval& front = pending_.front();
  const std::uint32_t segment = front.first++;
  if (front.first == front.end) pending_.erase(pending_.begin());
  return segment;
}

void Surroundings::begin_pass() {
  added_.clear();
  for (const Interval& it : pending_) insert(it);
}

}  // namespace dmremap::health
