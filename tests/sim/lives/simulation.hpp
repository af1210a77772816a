// SPDX-License-Identifier: GPL-2.0-or-later
// One seed: two disks, the engine and the metadata that ship, clients, faults, crashes and
// restarts, and at the end calm. The seed decides everything, so it replays exactly.
#pragma once

#include <cstdint>
#include <string>

#include "sim/lives/report.hpp"

namespace dmremap::sim {

struct Verdict {
  std::string failure;  // empty: every promise was kept
  std::uint64_t trace = 0;
  Report report;
};

// Once a seed has failed, what it was made of stays in memory.
[[nodiscard]] Verdict simulate(std::uint64_t seed, bool talk = false);

}  // namespace dmremap::sim
