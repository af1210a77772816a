// SPDX-License-Identifier: GPL-2.0-or-later
// Finds out which units of a failed request are bad: by main's physical block first, then by unit
// (promise 5). It decides what to try next, and the caller that does the I/O reports how it went.
// No part that went well is tried twice.
#pragma once

#include <optional>
#include <vector>

#include "base/units.hpp"

namespace dmremap::remap {

class Narrowing {
 public:
  // `failed`: a request that failed as a whole; whole units. `block` is a multiple of `unit`. With
  // unit == block it goes no further down than blocks.
  Narrowing(SectorRange failed, SectorCount block, SectorCount unit);

  // The next part to try; nothing: done. report() comes before the next call.
  [[nodiscard]] std::optional<SectorRange> next();
  void report(bool ok);

  // The runs known to be bad, in order, neighbours joined.
  [[nodiscard]] const std::vector<SectorRange>& failing() const { return failing_; }
  // What was never tried, or only as part of something larger that failed: when time is up.
  [[nodiscard]] std::vector<SectorRange> untried() const;

 private:
  [[nodiscard]] SectorRange block_at(Sector sector) const;
  void descend(SectorRange block);

  SectorRange whole_;
  SectorCount block_;
  SectorCount unit_;
  SectorRange blocks_left_;
  SectorRange units_left_;  // of the block being taken apart
  std::optional<SectorRange> trying_;
  std::vector<SectorRange> failing_;
};

}  // namespace dmremap::remap
