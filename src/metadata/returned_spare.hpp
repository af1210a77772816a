// SPDX-License-Identifier: GPL-2.0-or-later
// Decides whether a device is the spare of a running set that has come back, perhaps under another
// name. It is a pure function of what the set knows and what the device shows.
//
// A device is taken only if its newest commit is the very one that the running set has committed
// last. So a copy that was made earlier is not taken, nor a spare that another machine wrote to. A
// copy that was made after the last commit cannot be told from the spare (docs/fault-model.md).
#pragma once

#include <cstdint>
#include <string>

#include "base/units.hpp"
#include "base/uuid.hpp"
#include "io/block_device.hpp"
#include "metadata/commit_name.hpp"
#include "metadata/survey.hpp"

namespace dmremap::metadata {

// What a running set knows of its spare.
struct SpareRecord {
  Uuid set_uuid;
  Uuid device_uuid;
  SectorCount size;                         // as the metadata says
  std::uint32_t logical_block_bytes = 512;  // as it was opened: the smallest request to it
  bool writes = true;                       // false: the set was started read-only
};

enum class ReturnVerdict {
  same,      // it is the spare, as the set left it
  stranger,  // it has nothing to do with this spare
  refused,   // it is this spare, or says so, and must not be used
};

struct ReturnJudgement {
  ReturnVerdict verdict = ReturnVerdict::stranger;
  std::string reason;  // why it is refused; to follow "is there, but"
};

// `geometry` and `found` are of the device, which is held or looked at.
[[nodiscard]] ReturnJudgement judge_returned_spare(const SpareRecord& spare,
                                                   const KnownCommits& commits,
                                                   const io::Geometry& geometry,
                                                   const Survey& found);

}  // namespace dmremap::metadata
