// SPDX-License-Identifier: GPL-2.0-or-later
// Sectors that a list from elsewhere says are bad. Pure values.
//
// A mark never takes anything back: lost sectors were good or suspect before, suspect ones good.
// Whatever is remapped, lost or gone is known better here than in any list.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "format/extent.hpp"
#include "io/block_device.hpp"
#include "table/table.hpp"

namespace dmremap::table {

struct KnownBad {
  std::vector<SectorRange> lost;     // main cannot read them
  std::vector<SectorRange> suspect;  // something near them could not be read
};

// Longer marks are several entries of the table: a multiple of every logical block, and what an
// entry can hold (format::kMaxExtentSectors).
inline constexpr SectorCount kLongestMark{std::uint64_t{1} << 23U};

// What a list changes, in sectors.
struct MarkReport {
  SectorCount lost;       // good and suspect sectors that become lost
  SectorCount suspect;    // good sectors that become suspect
  SectorCount unchanged;  // in a state already that says as much, or more

  bool operator==(const MarkReport&) const = default;
};

// Rounded out to main's logical blocks, in order, disjoint; what is both is lost. Error: usage, for
// what does not lie on main.
[[nodiscard]] Result<KnownBad> fit_to_main(const KnownBad& list, const io::Geometry& main);

// The rest requires a fitted list.
[[nodiscard]] MarkReport count_marks(const KnownBad& list, const Table& table);

// The table of a set that knows of nothing else, as its first commit holds it.
[[nodiscard]] std::vector<format::Extent> extents_of(const KnownBad& list, std::uint64_t wall_ns);

// The ranges in order, those that overlap or adjoin, or are no further apart than `gap`, as one.
[[nodiscard]] std::vector<SectorRange> joined(std::vector<SectorRange> ranges,
                                              SectorCount gap = {});

// At most `most` ranges that cover all of the list.
[[nodiscard]] std::vector<SectorRange> covering(const KnownBad& list, std::size_t most);

}  // namespace dmremap::table
