// SPDX-License-Identifier: GPL-2.0-or-later
// Ways to keep copies of metadata, to be compared before one is settled on: how many copies, which
// of them make a commit, and in which waves its seals are written.
#pragma once

#include <string>
#include <vector>

#include "metadata/quorum.hpp"

namespace dmremap::quorum {

// What of a copy is in flight when the power goes.
enum class InFlight {
  kept_or_lost,  // each block as it was or as it was to be
  unreadable,    // or neither: torn, or unreadable until it is written again
};

struct System {
  std::string name;
  metadata::CopySet copies;  // of the eight places, those that this system has
  unsigned columns = 2;      // slots a copy; 1: a commit overwrites the one before in place
  metadata::QuorumRule contains_quorum = nullptr;
  std::vector<metadata::CopySet> waves;  // of seals, a flush after each; none contains a quorum
  InFlight in_flight = InFlight::kept_or_lost;
  // Waves after the one that completes a quorum are left to the next flush, whosesoever it is.
  bool last_waves_wait = true;
};

// The one that ships.
[[nodiscard]] const System& chosen();
// All that docs/fault-model.md compares; the chosen one last but for its variants.
[[nodiscard]] const std::vector<System>& systems();
// Small enough to enumerate copy by copy.
[[nodiscard]] const System& three_copies();

}  // namespace dmremap::quorum
