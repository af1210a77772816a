// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_layout.hpp"

#include <algorithm>

#include "base/parse.hpp"

namespace dmremap::health {

std::uint32_t turn_of(std::uint32_t index) {
  std::uint32_t turn = 0;
  for (std::uint32_t bit = 1; bit < kSegmentsPerRegion; bit <<= 1U) {
    turn = (turn << 1U) | static_cast<std::uint32_t>((index & bit) != 0);
  }
  return turn;
}

ScanLayout::ScanLayout(SectorCount size) : size_{std::min(size.value, kAddressLimitSectors)} {
  segments_ =
      static_cast<std::uint32_t>((size_.value + kScanSegment.value - 1) / kScanSegment.value);
  regions_ = (segments_ + kSegmentsPerRegion - 1) / kSegmentsPerRegion;
}

std::optional<std::uint32_t> ScanLayout::segment_at(std::uint64_t step) const {
  if (step >= steps()) return std::nullopt;
  const auto turn = static_cast<std::uint32_t>(step / regions_);
  const auto region = static_cast<std::uint32_t>(step % regions_);
  const std::uint32_t segment = region * kSegmentsPerRegion + turn_of(turn);
  if (segment >= segments_) return std::nullopt;
  return segment;
}

std::uint64_t ScanLayout::step_of(std::uint32_t segment) const {
  return std::uint64_t{turn_of(segment % kSegmentsPerRegion)} * regions_ +
         segment / kSegmentsPerRegion;
}

SectorRange ScanLayout::sectors_of(std::uint32_t segment) const {
  const Sector first{segment * kScanSegment.value};
  const Sector end{std::min(first.value + kScanSegment.value, size_.value)};
  return {first, end - first};
}

std::uint32_t ScanLayout::segment_of(Sector sector) const {
  return static_cast<std::uint32_t>(sector.value / kScanSegment.value);
}

SectorCount ScanLayout::covered_before(std::uint64_t step) const {
  if (step >= steps()) return size_;
  const std::uint64_t turns = step / regions_;
  // All steps before this one have a segment but those of a last region that is short.
  std::uint64_t covered = step;
  const std::uint32_t in_last = segments_ - (regions_ - 1) * kSegmentsPerRegion;
  for (std::uint32_t turn = 0; turn < turns; ++turn) {
    if (turn_of(turn) >= in_last) --covered;
  }
  return {std::min(covered * kScanSegment.value, size_.value)};
}

}  // namespace dmremap::health
