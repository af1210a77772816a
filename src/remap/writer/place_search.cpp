// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/place_search.hpp"

#include <algorithm>

namespace dmremap::remap {

namespace {

// Tried one after the other before the first jump: a physical block has eight units at most, and
// most bad places are no longer than one.
constexpr unsigned kNeighbours = 8;
// In a row. The jumps between them lead all over the spare: they grow to a 32nd of it.
constexpr unsigned kMostPlaces = 72;
constexpr std::uint64_t kLongestJumpPart = 32;

}  // namespace

PlaceSearch::PlaceSearch(SectorCount capacity, SectorCount unit)
    : unit_(unit), longest_{align_up(capacity.value / kLongestJumpPart + 1, unit.value)} {}

std::optional<SectorCount> PlaceSearch::report_failure() {
  ++failures_;
  if (failures_ >= kMostPlaces) {
    failures_ = 0;
    return std::nullopt;
  }
  if (failures_ < kNeighbours) return SectorCount{0};
  const unsigned doublings = std::min(failures_ - kNeighbours, 40U);
  const std::uint64_t jump = std::max<std::uint64_t>(8, unit_.value) << doublings;
  return SectorCount{std::min(jump, longest_.value)};
}

}  // namespace dmremap::remap
