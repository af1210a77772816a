// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/route.hpp"

#include <algorithm>

namespace dmremap::table {

Place place_of(format::State state) {
  switch (state) {
    case format::State::good:
    case format::State::suspect:
      return Place::main;
    case format::State::remapped:
      return Place::spare;
    case format::State::lost:
    case format::State::gone:
    case format::State::retired:
      break;
  }
  return Place::nowhere;
}

Stretch stretch_at(const Table& table, Sector at, Sector end) {
  const Piece first = table.piece_at(at, end);
  Stretch out{first.main, place_of(first.state), first.spare};
  while (out.range.end() < end) {
    const Piece next = table.piece_at(out.range.end(), end);
    // Suspect and good sectors are one stretch: main serves both.
    if (place_of(next.state) != out.place) break;
    // Neighbours on main need not be neighbours on the spare.
    if (out.place == Place::spare && next.spare != out.spare + out.range.count) break;
    out.range.count = out.range.count + next.main.count;
  }
  return out;
}

bool any_nowhere(const Table& table, SectorRange range) {
  return std::ranges::any_of(stretches(table, range),
                             [](const Stretch& s) { return s.place == Place::nowhere; });
}

}  // namespace dmremap::table
