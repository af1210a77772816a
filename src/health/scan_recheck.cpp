// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_recheck.hpp"

#include <algorithm>
#include <iterator>

#include "health/scan_clock.hpp"

namespace dmremap::health {

std::uint64_t recheck_interval_s(std::uint8_t rechecks) {
  if (rechecks < 2) return kWeekS;
  return rechecks == 2 ? 2 * kWeekS : 4 * kWeekS;
}

RecheckList::RecheckList(std::span<const RecheckPlace> stored, std::uint32_t segments,
                         std::uint64_t now_s) {
  for (RecheckPlace place : stored) {
    if (places_.size() == kRecheckPlacesMax) break;
    if (place.segment >= segments || place.rechecks >= kRechecksMax) continue;
    if (find(place.segment) != nullptr) continue;
    place.due_s = std::min(place.due_s, now_s + recheck_interval_s(place.rechecks));
    places_.push_back(place);
  }
}

RecheckPlace* RecheckList::find(std::uint32_t segment) {
  const auto it = std::ranges::find(places_, segment, &RecheckPlace::segment);
  return it == places_.end() ? nullptr : &*it;
}

bool RecheckList::note_trouble(std::uint32_t segment, std::uint64_t now_s) {
  const std::uint64_t due_s = now_s + recheck_interval_s(0);
  if (RecheckPlace* const place = find(segment)) {
    place->rechecks = 0;
    place->due_s = due_s;
    return false;
  }
  if (places_.size() == kRecheckPlacesMax) {
    places_.erase(std::ranges::max_element(places_, {}, &RecheckPlace::rechecks));
  }
  places_.push_back({segment, 0, false, due_s});
  return true;
}

std::optional<std::uint32_t> RecheckList::due(std::uint64_t now_s) const {
  const auto first = std::ranges::min_element(places_, {}, &RecheckPlace::due_s);
  if (first == places_.end() || first->due_s > now_s) return std::nullopt;
  return first->segment;
}

void RecheckList::note_good(std::uint32_t segment, std::uint64_t now_s) {
  RecheckPlace* const place = find(segment);
  if (place == nullptr) return;
  ++place->rechecks;
  if (place->rechecks < kRechecksMax) {
    place->due_s = now_s + recheck_interval_s(place->rechecks);
    return;
  }
  std::erase_if(places_, [&](const RecheckPlace& it) { return it.segment == segment; });
}

void RecheckList::set_surroundings_due(std::uint32_t segment) {
  if (RecheckPlace* const place = find(segment)) place->surroundings_due = true;
}

void RecheckList::clear_surroundings_due() {
  for (RecheckPlace& place : places_) place.surroundings_due = false;
}

std::optional<std::uint64_t> RecheckList::next_due_s() const {
  const auto first = std::ranges::min_element(places_, {}, &RecheckPlace::due_s);
  if (first == places_.end()) return std::nullopt;
  return first->due_s;
}

}  // namespace dmremap::health
