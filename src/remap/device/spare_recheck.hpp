// SPDX-License-Identifier: GPL-2.0-or-later
// Asks the spare again for remapped sectors that are failing (failing_places.hpp). What reads well
// moves to another place of the spare: data, flush, commit, publish, like any other change; a crash
// before the commit leaves the former binding, whose place still has the data. What the device has
// given up for good becomes gone.
#pragma once

#include <functional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "remap/data_path.hpp"
#include "remap/writer/remapper.hpp"

namespace dmremap::remap {

// One thread at a time, the relocator's.
class SpareRecheck {
 public:
  SpareRecheck(DataPath& path, Remapper& remapper);

  // Asks what is due, a few units at most. Takes as long as the spare takes to read or to fail.
  void ask(const ContinueCheck& go_on);

 private:
  struct DeadUnit {
    SectorRange unit;
    int error = 0;
  };
  // `on`: of the spare that has the unit.
  io::IoStatus read(SectorRange unit, SpareIndex& on);
  void move(const std::vector<SectorRange>& well);
  void give_up(const std::vector<DeadUnit>& units);
  [[nodiscard]] bool still_failing(const table::Table& table, SectorRange unit) const;

  DataPath& path_;
  Remapper& remapper_;
  AlignedBuffer buffer_;  // of kMostAtOnce units
};

}  // namespace dmremap::remap
