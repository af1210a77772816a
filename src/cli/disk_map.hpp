// SPDX-License-Identifier: GPL-2.0-or-later
// Asks a running set for its main by state.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "control/client.hpp"
#include "set/backfill_plan.hpp"

namespace dmremap::cli {

struct DiskMapSeen {
  set::BackfillDisk disk;
  std::uint64_t sequence = 0;  // of a commit that all of it may be newer than
};

// Errors: those of the set; protocol.
Result<DiskMapSeen> disk_map_of(control::Client& client, const std::string& name);

}  // namespace dmremap::cli
