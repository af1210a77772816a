// SPDX-License-Identifier: GPL-2.0-or-later
// Sampled lives of a set: many openings, commits, repairs and resolutions, crashes in any of them,
// slots that vanish and come back, copies that refuse writes. Slot by slot, not in classes.
#pragma once

#include <cstdint>
#include <string>

#include "quorum/rules.hpp"
#include "quorum/systems.hpp"

namespace dmremap::quorum {

struct LivesReport {
  std::uint64_t lives = 0;
  std::uint64_t openings = 0;  // read-write
  std::uint64_t refused_doubtful = 0;
  std::uint64_t refused_fork = 0;
  std::uint64_t commits = 0;  // acknowledged
  std::uint64_t crashes = 0;
  std::uint64_t orphans_back = 0;  // a later commit than the acknowledged one, never acknowledged
  std::uint64_t resolutions = 0;
  std::uint64_t wrong = 0;
  std::string first_wrong;  // the seed of the life, and what it came to
};

// Life i has seed `first_seed` + i and does not depend on the others.
[[nodiscard]] LivesReport sample_lives(const System& system, const Rule& rule,
                                       std::uint64_t first_seed, std::uint64_t lives);

}  // namespace dmremap::quorum
