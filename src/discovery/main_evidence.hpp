// SPDX-License-Identifier: GPL-2.0-or-later
// Evidence of what main held when the last run of a set ended, compared at a start (promise 12). In
// the same boot a killed run leaves it in a file (run_memory.hpp); a clean stop in the metadata.
// After a power cut there is none: a match would prove nothing, a mismatch would contradict
// nothing.
#pragma once

#include <string>
#include <vector>

#include "format/content.hpp"
#include "io/block_device.hpp"
#include "metadata/commit_name.hpp"
#include "remap/evidence/evidence_check.hpp"

namespace dmremap::discovery {

// The evidence that the last run of a set left.
struct LastRunEvidence {
  std::vector<remap::BlockHash> blocks;  // of sectors that main still serves
  bool of_killed_run = false;
};

// `content` is that of `winner`. `memory_path` is the path of the last run's file; it may be empty
// or name no file.
[[nodiscard]] LastRunEvidence evidence_of_last_run(const format::Content& content,
                                                   const metadata::CommitName& winner,
                                                   const std::string& memory_path);

}  // namespace dmremap::discovery
