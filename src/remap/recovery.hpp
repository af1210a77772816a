// SPDX-License-Identifier: GPL-2.0-or-later
// What to do with sectors that could not be read: hold them, ask once more, and then either move
// what could be read after all, or record that they are lost (main held the newest version) or gone
// (a spare did, or main's cache lost it).
//
// Nothing is recorded from the read that failed first: a write may have come since. Under the hold
// none can, and the read is repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "remap/data_path.hpp"
#include "remap/remapper.hpp"
#include "remap/route.hpp"

namespace dmremap::remap {

// A part of a request that failed to read.
struct Unread {
  SectorRange range;  // whole units
  std::span<std::byte> out;
};

// Reads of main's sectors without a hold: which physical blocks of `range` cannot be read? The rest
// ends up in `out`. `error` becomes the last errno. Past the deadline the untried count as unread.
// Requires a pin if the caller relies on main being the place of `range`.
[[nodiscard]] std::vector<SectorRange> unreadable_blocks(DataPath& path, SectorRange range,
                                                         std::span<std::byte> out,
                                                         std::uint64_t deadline_ns, int& error);

class Recovery {
 public:
  // `remapper` null: read-only; nothing is recorded.
  Recovery(DataPath& path, Remapper* remapper) : path_(path), remapper_(remapper) {}

  // What an unreadable sector of main becomes.
  enum class Verdict { lost, gone };

  // The caller has no pin. Success: all data is in place (and moved to the spare, if there was
  // room). An error: something could not be read; what was tried in time is recorded.
  io::IoStatus settle(std::span<const Unread> parts, Verdict verdict, std::uint64_t deadline_ns);

 private:
  struct Attempt;  // recovery.cpp
  void read_again(const Unread& part, const Table& table, Attempt& attempt);
  void read_unit(const Unread& part, SectorRange unit, Place place, Sector spare, Attempt& attempt);
  io::IoStatus record(const Attempt& attempt, Verdict verdict);

  DataPath& path_;
  Remapper* remapper_;
};

}  // namespace dmremap::remap
