// SPDX-License-Identifier: GPL-2.0-or-later
// Explains one sector: what is known about it, and what a request to it would do now. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/units.hpp"
#include "format/extent.hpp"
#include "table/route.hpp"

namespace dmremap::view {

// The condition of the set, as far as it matters to a request besides the state of the sector.
struct Situation {
  bool running = true;  // if false, it is explained as if it were started and sound
  bool read_only = false;
  bool tripped = false;
  bool spare_full = false;
  bool table_full = false;
  std::uint64_t sequence = 0;  // of the latest commit
  // The errno with which the place of the sector on the spare fails to read at present; 0 if it
  // reads, or if that is not known.
  int failing = 0;
};

// The place to which a request goes first.
enum class Target { main, spare, error };
[[nodiscard]] std::string_view name_of(Target target);

// What a request to the sector would do: where it goes first, and the whole of it in words.
struct RequestAnswer {
  Target target = Target::error;
  std::string text;  // for people, without full stop
};

// The evidence that the extent of a sector keeps.
struct Evidence {
  int cause = 0;               // errno; 0: by hand, or from a list
  std::uint64_t sequence = 0;  // the commit that bound the sector
  std::uint64_t time_ns = 0;   // wall clock
};

// Everything that is known about one sector. `extent` is the run of equal sectors around it,
// `place` and `at` say where its data is, and `read` and `write` what requests to it would do.
struct Explanation {
  format::State state = format::State::good;
  SectorRange extent;  // the run that it belongs to; if good, up to the next one that is not
  table::Place place = table::Place::main;
  Sector main;         // the sector itself
  SpareAddress spare;  // of a remapped one: where its data is
  std::optional<Evidence> evidence;
  int failing = 0;  // if remapped: the errno of its place on the spare, if that does not read
  RequestAnswer read;
  RequestAnswer write;

  // On the device that `place` names; means nothing if that is nowhere.
  [[nodiscard]] Sector at() const { return place == table::Place::spare ? spare.sector : main; }
};

// The full sequence number for the low 32 bits that an extent keeps: the last one up to `latest`
// that ends in them.
[[nodiscard]] std::uint64_t full_sequence(std::uint32_t low, std::uint64_t latest);

// `extents` sorted; requires sector < size.
[[nodiscard]] Explanation explain(std::span<const format::Extent> extents, SectorCount size,
                                  Sector sector, const Situation& situation);

// "EIO"; "errno 999" for a number without a name.
[[nodiscard]] std::string errno_name(int number);

}  // namespace dmremap::view
