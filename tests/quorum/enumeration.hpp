// SPDX-License-Identifier: GPL-2.0-or-later
// What a rule makes of every state that crashes and damage can leave behind, exhaustively.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "quorum/rules.hpp"
#include "quorum/states.hpp"
#include "quorum/systems.hpp"

namespace dmremap::quorum {

struct Tally {
  std::uint64_t read_write = 0;  // the acknowledged commit, or one begun after it
  std::uint64_t doubtful = 0;    // refused, no winner included
  std::uint64_t fork = 0;        // refused
  std::uint64_t wrong = 0;       // an acknowledged commit hidden while read-write

  [[nodiscard]] std::uint64_t states() const { return read_write + doubtful + fork + wrong; }
  bool operator==(const Tally&) const = default;
};

// A state with the fewest slots damaged of its sort.
struct Smallest {
  unsigned damaged = std::numeric_limits<unsigned>::max();
  std::string state;
};

struct Outcome {
  Tally tally;
  Smallest wrong;    // of those that are WRONG
  Smallest refused;  // of those that are refused after a crash of a set that was whole before
  // Of those that are refused after a commit that a crash left unfinished came back, the opening
  // after it having been acknowledged.
  Smallest refused_for_an_orphan;
};

// Every commit, activation (that mends the winner's column first) and repair, of a set with any
// subset of its slots damaged, stopped in every wave of seals with every subset of what was in
// flight lost; and an activation that finishes, or is stopped so, while copies that hold what an
// earlier one left unfinished are away, and come back; and a commit whose last waves are not
// flushed yet when it is acknowledged. Then every subset of slots damaged. A stop between two
// writes of a wave is one with the later ones lost. Bodies in flight change nothing that a rule
// looks at: they lie under seals of earlier commits.
[[nodiscard]] Outcome enumerate_crashes(const System& system, const Rule& rule);

// Anything at all in every slot, given only that the copies that hold or held the acknowledged
// commit contain a quorum: it contains every state that a crash or damage can leave. Without
// `torn_bodies`, no earlier commit is torn, which changes little and is much less to enumerate.
[[nodiscard]] Outcome enumerate_anything(const System& system, const Rule& rule, bool torn_bodies);

// How many copies may die for good, whichever they are, so that the rest opens read-write and still
// takes commits; and whether the whole near region may.
struct Endurance {
  unsigned any_copies = 0;
  bool near_region = false;
};
[[nodiscard]] Endurance endurance(const System& system, const Rule& rule);

}  // namespace dmremap::quorum
