// SPDX-License-Identifier: GPL-2.0-or-later
// What a start refuses of a main and a spare that were chosen, once both are open. A start asks it
// of devices that it holds; `discover`, `check` and `table` ask it of devices that they only look
// at. There is this one rule, so that a set that is called whole is one that a start takes.
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
  // The file in which the last run left what it knew (run_memory.hpp), if that run was killed. May
  // be empty, or not there. Never that of a run that goes on: it is written to all the time.
  std::string memory_path;
};

struct CheckedMain {
  // What main held when the last run ended, and holds now.
  std::vector<remap::BlockHash> evidence;
  // Main holds something else than when the last run ended, and the user has accepted that.
  bool changed = false;
};

// `survey` is of `spare`, has content, and is not refused for itself (metadata::refusal). `main` is
// the open device of `candidate`; from now on it has the geometry with which it would be served.
// Only reads. Errors: those of check_main and check_contents; device_too_small, block_size,
// main_resized.
[[nodiscard]] Result<CheckedMain> check_devices(io::FileDevice& main,
                                                const MainCandidate& candidate,
                                                const io::BlockDevice& spare,
                                                const metadata::Survey& survey,
                                                const StartConditions& conditions);

// The part of it that compares what main holds with what the last run recorded: the print of its
// superblock area, and evidence of blocks all over it (promise 12). Where nothing of main lives
// elsewhere after a clean stop, others may use it. `known_by_contents`: nothing else tells that it
// is main, so it must have its contents still. Only reads. Errors: main_changed, main_unproven.
[[nodiscard]] Result<CheckedMain> check_contents(io::BlockDevice& main,
                                                 const metadata::Survey& survey,
                                                 bool known_by_contents,
                                                 const StartConditions& conditions);

}  // namespace dmremap::discovery
