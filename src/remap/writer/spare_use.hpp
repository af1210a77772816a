// SPDX-License-Identifier: GPL-2.0-or-later
// How full the spares are: kept for others to read, with an event at each threshold.
#pragma once

#include "remap/data_path.hpp"

namespace dmremap::remap {

// The remapper's alone. `path` outlives it.
class SpareUse {
 public:
  explicit SpareUse(DataPath& path) : path_(path) {}

  // After every change of what is allocated or can be.
  void note();
  // A place was wanted in vain: for `range` of main.
  void note_full(SectorRange range);

  // The metadata's spare is in use up to `size`: its new room is handed out from now on. Call it
  // when the commit that says so is acknowledged.
  void grow(SectorCount size);

 private:
  DataPath& path_;
  unsigned percent_told_ = 0;
};

}  // namespace dmremap::remap
