// SPDX-License-Identifier: GPL-2.0-or-later
// Decides which commit is the newest, and whether that is proved. It is a pure function of what the
// slots say.
//
// The winner is the latest commit by (sequence, term) that has a whole slot. A slot is settled when
// its seal reads, checks, is of this set and in its place, and names the winner or an earlier
// commit. A slot in any other condition might hold a later commit. The set is writable exactly when
// in neither column the copies with unsettled slots contain a commit quorum. Then no acknowledged
// commit can be hidden, because an acknowledged commit is on a quorum of one column.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "format/layout.hpp"
#include "metadata/commit_name.hpp"
#include "metadata/quorum.hpp"

namespace dmremap::metadata {

// The facts about one slot that the decision needs.
struct SlotFact {
  bool sealed = false;  // the seal reads, checks, is of this set and this device, and in its place
  bool whole = false;   // sealed, and the body is the one it seals
  CommitName commit;    // of a sealed slot
};

using SlotFacts = std::array<std::array<SlotFact, format::kSlots>, format::kCopies>;

enum class Standing {
  no_winner,   // not one whole slot
  read_write,  // the winner is provably the newest
  doubtful,    // a newer acknowledged commit may be hidden
  fork,        // two latest commits, neither provably unacknowledged
};

struct Decision {
  Standing standing = Standing::no_winner;
  // The winner; for a doubtful or forked set the best candidate, to be shown, not trusted.
  std::optional<CommitName> winner;
  // All commits with the highest (sequence, term), in the order of their ids. There is more than
  // one after two openings from the same commit; `standing` says whether one of them could be
  // chosen.
  std::vector<CommitName> candidates;
  // Of each slot, by copy and column: it cannot hold a commit later than the winner.
  std::array<std::array<bool, format::kSlots>, format::kCopies> settled{};
  // Of each column: the copies whose slot is not settled.
  std::array<CopySet, format::kSlots> unsettled{};
  // The copies that have a whole slot of the winner.
  CopySet holders;

  [[nodiscard]] bool writable() const { return standing == Standing::read_write; }
};

// Has an answer for any facts. `quorum` is contains_quorum, except in tests that compare rules.
[[nodiscard]] Decision decide(const SlotFacts& facts, QuorumRule quorum = contains_quorum);

// The reason for a decision, as a sentence for people.
[[nodiscard]] std::string reason_of(const Decision& decision);

}  // namespace dmremap::metadata
