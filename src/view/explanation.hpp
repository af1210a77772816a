// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of one sector, and what a request to it would do now. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/units.hpp"
#include "format/extent.hpp"
#include "table/route.hpp"

namespace dmremap::view {

// What bears on a request besides the state of the sector.
struct Situation {
  bool running = true;  // if not, what would be once it is started and well
  bool read_only = false;
  bool tripped = false;
  bool spare_full = false;
  bool table_full = false;
  std::uint64_t sequence = 0;  // of the latest commit
  // The errno of the sector's place on the spare, where that does not read at present; 0: it does,
  // or nobody knows better.
  int failing = 0;
};

// Where a request goes first.
enum class Target { main, spare, error };
[[nodiscard]] std::string_view name_of(Target target);

struct Answer {
  Target target = Target::error;
  std::string text;  // for people, without full stop
};

// What the extent of a sector that is not good remembers.
struct Evidence {
  int cause = 0;               // errno; 0: by hand, or from a list
  std::uint64_t sequence = 0;  // of the commit that bound it
  std::uint64_t time_ns = 0;   // wall clock
};

struct Explanation {
  format::State state = format::State::good;
  SectorRange extent;  // the whole run it belongs to; of a good sector: up to the next that is not
  table::Place place = table::Place::main;
  Sector main;         // the sector itself
  SpareAddress spare;  // of a remapped one: where its data is
  std::optional<Evidence> evidence;
  int failing = 0;  // of a remapped one: the errno of its place, if that does not read
  Answer read;
  Answer write;

  // On the device that `place` names; means nothing if that is nowhere.
  [[nodiscard]] Sector at() const { return place == table::Place::spare ? spare.sector : main; }
};

// Extents keep the low 32 bits: the last commit up to `latest` that has them.
[[nodiscard]] std::uint64_t full_sequence(std::uint32_t low, std::uint64_t latest);

// `extents` sorted; requires sector < size.
[[nodiscard]] Explanation explain(std::span<const format::Extent> extents, SectorCount size,
                                  Sector sector, const Situation& situation);

// "EIO"; "errno 999" for a number without a name.
[[nodiscard]] std::string errno_name(int number);

}  // namespace dmremap::view
