// SPDX-License-Identifier: GPL-2.0-or-later
// Copies what can be read of a running set, verified.
//
// A batch at a time: read the source, write the target, flush it, read it back and compare. Only
// then does the map call it finished, so that the map is true whenever the copy ends. Sectors that
// an earlier run finished are compared, and copied again if they differ. Sectors that are known to
// be lost are never read, and nothing is written for them.
//
// What reads well comes first, since a failing disk may not last until the end. Where a read fails
// the copy goes on further ahead, by steps that grow while reads fail and shrink while they
// succeed, and it asks for little until something reads again. It leaps in the same way where reads
// take far longer than those before them, for there the drive tries hard, and wears itself out.
// What it leaped over it visits a second time from the other side, and only then asks for what is
// left, down to single units.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"
#include "transfer/copy_map.hpp"

namespace dmremap::transfer {

// The passes of a copy, in their order. Each visits what those before it left.
enum class CopyPass {
  forward,   // from the beginning, leaping over what does not read, or reads slowly
  backward,  // from the ends of what was leaped over, with smaller leaps
  verify,    // what an earlier run finished
  rest,      // what was leaped over and what failed, down to single units
};

// The caller's part in a copy: it is told of steps, and decides whether the copy goes on.
class CopyObserver {
 public:
  virtual ~CopyObserver() = default;
  // The target was flushed and is read next: from the medium, if it can be arranged.
  virtual void flushed() {}
  // A pass begins that has something to visit.
  virtual void begin_pass(CopyPass /*pass*/, const CopyMap& /*map*/) {}
  // After each batch, and after each read that failed. False: end here.
  virtual bool go_on(const CopyMap& map) = 0;
  // Called when sectors did not read, though not each time. Returns the sectors that the set knows
  // to be lost or gone now, sorted. An error ends the copy.
  virtual Result<std::vector<SectorRange>> lost_now() = 0;
};

// Copies `source` to `target`. `lost` is sorted; these sectors are never read, and marked bad.
// Sectors that do not read and are not lost are marked non_trimmed, and so is, on the way, what was
// asked for together with them: the pass `rest` of this run or of a later one tries them again.
// `clock` tells how long a read took.
// Requires a target that is as large as the map, with logical blocks no larger than `unit`. Errors:
// io, if the target fails or does not return what was written; those of the observer. One thread.
[[nodiscard]] Result<void> copy_verified(io::BlockDevice& source, io::BlockDevice& target,
                                         SectorCount unit, const std::vector<SectorRange>& lost,
                                         CopyMap& map, CopyObserver& observer, Clock& clock);

}  // namespace dmremap::transfer
