// SPDX-License-Identifier: GPL-2.0-or-later
// Copies what can be read of a running set, verified.
//
// A batch at a time: read the source, write the target, flush it, read it back and compare. Only
// then does the map call it finished, so that an end at any moment leaves a map that tells the
// truth. What an earlier run finished is compared, and what differs is copied. What is known to be
// lost is never asked for, and nothing is written for it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"
#include "transfer/copy_map.hpp"

namespace dmremap::transfer {

class CopyObserver {
 public:
  virtual ~CopyObserver() = default;
  // The target was flushed and is read next: from the medium, if it can be arranged.
  virtual void flushed() {}
  // After each batch. False: end here.
  virtual bool go_on(const CopyMap& map) = 0;
  // Sectors did not read: what the set knows to be lost or gone now, sorted. Error: end here.
  virtual Result<std::vector<SectorRange>> lost_now() = 0;
};

// `lost`: sorted, never read, and marked bad. What does not read and is not lost is marked
// non_trimmed: a later run tries it again. Requires a target that is as large as the map, with
// logical blocks no larger than `unit`. Errors: io, of the target, or what it reads back is not
// what was written; those of the observer. One thread.
[[nodiscard]] Result<void> copy_verified(io::BlockDevice& source, io::BlockDevice& target,
                                         SectorCount unit, const std::vector<SectorRange>& lost,
                                         CopyMap& map, CopyObserver& observer);

}  // namespace dmremap::transfer
