// SPDX-License-Identifier: GPL-2.0-or-later
// Where the parts of a request go. Pure: the same for a thread that waits for its I/O and for a
// ring that does not.
#pragma once

#include "table/table.hpp"
#include "table/walk.hpp"

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
  SpareAddress spare;

  bool operator==(const Stretch&) const = default;
};

[[nodiscard]] Place place_of(format::State state);

// The first stretch of [at, end); pieces that continue each other in place are one, whatever their
// evidence. Requires at < end.
[[nodiscard]] Stretch stretch_at(const Table& table, Sector at, Sector end);

// All stretches of `range`, in order, for a loop. The table must outlive it.
using Stretches = Walk<Stretch, &stretch_at, &Stretch::range>;
[[nodiscard]] inline Stretches stretches(const Table& table, SectorRange range) {
  return {table, range};
}
Stretches stretches(const Table&& table, SectorRange range) = delete;

// Is any sector of `range` lost or gone?
[[nodiscard]] bool any_nowhere(const Table& table, SectorRange range);

}  // namespace dmremap::table
