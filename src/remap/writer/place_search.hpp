// SPDX-License-Identifier: GPL-2.0-or-later
// How to look for a place on a spare that refuses sectors. Pure.
//
// Errors cluster: of disks with a second latent error, half had it within 10 MB of the first
// (Bairavasundaram, SIGMETRICS 2007). So after a few neighbours that refused as well, the search
// jumps ahead, twice as far each time, until it has been all over the spare.
#pragma once

#include <optional>

#include "base/units.hpp"

namespace dmremap::remap {

class PlaceSearch {
 public:
  // `capacity`: the spare's data area. `unit`: what is tried at once after a failure.
  PlaceSearch(SectorCount capacity, SectorCount unit);

  // A place took data: the next failure is the first of its row.
  void report_success() { failures_ = 0; }
  // A place refused. How many sectors to leave out before the next attempt; nothing: places all
  // over the spare refused, so it is the spare as a whole, and the search begins anew.
  [[nodiscard]] std::optional<SectorCount> report_failure();

  // The last place refused: a single unit shows whether the next one is any better.
  [[nodiscard]] bool feeling() const { return failures_ > 0; }

 private:
  SectorCount unit_;
  SectorCount longest_;
  unsigned failures_ = 0;  // in a row
};

}  // namespace dmremap::remap
