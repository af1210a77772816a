// SPDX-License-Identifier: GPL-2.0-or-later
// Where the parts of a request go. Pure: the same for a thread that waits for its I/O and for a
// ring that does not.
#pragma once

#include "table/table.hpp"

namespace dmremap::table {

enum class Place {
  main,     // good or suspect: main, at the same sector
  spare,    // remapped: the spare, at `spare`
  nowhere,  // lost or gone: a read is an error, a write needs the remapper
};

// A run of main sectors that one request to one device can serve.
struct Stretch {
  SectorRange range;
  Place place = Place::main;
  Sector spare;

  bool operator==(const Stretch&) const = default;
};

[[nodiscard]] Place place_of(format::State state);

// The first stretch of [at, end); pieces that continue each other in place are one, whatever their
// evidence. Requires at < end.
[[nodiscard]] Stretch stretch_at(const Table& table, Sector at, Sector end);

// Calls visit(stretch) for all of `range`, in order, until it returns false. True: all visited.
template <typename Visit>
bool for_each_stretch(const Table& table, SectorRange range, const Visit& visit) {
  for (Sector at = range.first; at < range.end();) {
    const Stretch stretch = stretch_at(table, at, range.end());
    if (!visit(stretch)) return false;
    at = stretch.range.end();
  }
  return true;
}

// Is any sector of `range` lost or gone?
[[nodiscard]] bool any_nowhere(const Table& table, SectorRange range);

}  // namespace dmremap::table
