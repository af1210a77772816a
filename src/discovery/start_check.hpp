// SPDX-License-Identifier: GPL-2.0-or-later
// The checks that a start makes of the chosen main and spare once both are open. A start makes them
// of devices that it holds; `discover`, `check` and `table` make the same ones of devices that they
// only look at. So a set that they call whole is one that a start takes.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "discovery/main_choice.hpp"
#include "io/file_device.hpp"
#include "metadata/survey.hpp"
#include "remap/evidence/evidence_check.hpp"

namespace dmremap::discovery {

struct StartConditions {
  MainConsent consent;
  bool read_only = false;  // then a main that shrank, and was accepted, is served without its end
  // The file in which the last run left its evidence (run_memory.hpp), if that run was killed. May
  // be empty, or name no file. Must not be that of a run that still goes on, which writes to it all
  // the time.
  std::string memory_path;
};

struct CheckedMain {
  // Hashes of blocks that main held when the last run ended, and still holds.
  std::vector<remap::BlockHash> evidence;
  // True if main holds something else than when the last run ended, and the user has accepted that.
  bool changed = false;
};

// Requires that `survey` was made of `spare`, has content, and that metadata::refusal does not
// refuse it. `main` is the open device of `candidate`; afterwards it has the geometry with which it
// would be served. Only reads. Errors: those of check_main and check_contents; device_too_small,
// block_size, main_resized.
[[nodiscard]] Result<CheckedMain> check_devices(io::FileDevice& main,
                                                const MainCandidate& candidate,
                                                const io::BlockDevice& spare,
                                                const metadata::Survey& survey,
                                                const StartConditions& conditions);

// The part of check_devices that compares what main holds with what the last run recorded: the
// print of its superblock area, and evidence of blocks all over it (promise 12). A main of which no
// sector is elsewhere may have been used by others after a clean stop. `known_by_contents`: nothing
// but its contents tells that the device is main, so they must be unchanged. Only reads. Errors:
// main_changed, main_unproven.
[[nodiscard]] Result<CheckedMain> check_contents(io::BlockDevice& main,
                                                 const metadata::Survey& survey,
                                                 bool known_by_contents,
                                                 const StartConditions& conditions);

}  // namespace dmremap::discovery
