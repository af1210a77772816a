// SPDX-License-Identifier: GPL-2.0-or-later
// The order in which a pass of the scanner reads a disk: staggered (Oprea and Juels, FAST 2010;
// Schroeder, Damouras and Gill, FAST 2010). Pure.
//
// The disk is divided into regions of 128 MiB and these into segments of 1 MiB. A pass reads one
// segment of each region, then another one of each region, and so on: errors come in clusters, and
// a cluster is met early by one of its segments instead of late by its first.
//
// The segments of a region take their turns in bit-reversed order (0, 64, 32, 96, 16, ...). In
// ascending order the ten segments that a cluster of 10 MiB lies in would be read within a twelfth
// of the pass; bit-reversed, their turns are spread over all of it. docs/health-scanning.md has
// both orders beside each other.
//
// A step is one turn of one region: step = turn * regions + region. The last region may be short,
// and then some of its steps have no segment.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.hpp"

namespace dmremap::health {

inline constexpr SectorCount kScanSegment{kMiB / kSectorBytes};
inline constexpr std::uint32_t kSegmentsPerRegion = 128;
// What one read of the scanner asks for, at most. A drive is busy with it for about a millisecond
// where a segment is read on; larger ones stall the requests of others (openzfs #17554).
inline constexpr SectorCount kScanPiece{128 * kKiB / kSectorBytes};

// The turn that a segment takes within its region, and the other way round: bit reversal is its own
// inverse. `index` is less than kSegmentsPerRegion.
[[nodiscard]] std::uint32_t turn_of(std::uint32_t index);

class ScanLayout {
 public:
  // Of a disk of this size, which may be 0. Addresses end at 2^40 sectors (base/parse.hpp); what
  // lies beyond is left out.
  explicit ScanLayout(SectorCount size);

  [[nodiscard]] SectorCount size() const { return size_; }
  [[nodiscard]] std::uint32_t segments() const { return segments_; }
  [[nodiscard]] std::uint64_t steps() const { return std::uint64_t{regions_} * kSegmentsPerRegion; }

  // Empty if the step has no segment.
  [[nodiscard]] std::optional<std::uint32_t> segment_at(std::uint64_t step) const;
  [[nodiscard]] std::uint64_t step_of(std::uint32_t segment) const;
  // The last segment of the disk may be shorter than the others.
  [[nodiscard]] SectorRange sectors_of(std::uint32_t segment) const;
  [[nodiscard]] std::uint32_t segment_of(Sector sector) const;
  // How much of the disk the steps before this one cover.
  [[nodiscard]] SectorCount covered_before(std::uint64_t step) const;

 private:
  SectorCount size_;
  std::uint32_t segments_ = 0;
  std::uint32_t regions_ = 0;
};

}  // namespace dmremap::health
