// SPDX-License-Identifier: GPL-2.0-or-later
// Which commit is the newest, and whether that is proved: a pure function of what the slots say.
//
// Winner: the latest commit in (sequence, term) with a whole slot. A slot is settled when its seal
// reads, checks, is ours and in its place, and names the winner or an earlier commit; whatever else
// it holds might be a later commit. The set is writable exactly when in neither column the copies
// with unsettled slots contain a commit quorum: then no acknowledged commit can be hidden.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "format/layout.hpp"
#include "metadata/commit_name.hpp"
#include "metadata/quorum.hpp"

namespace dmremap::metadata {

// All that the decision needs to know of a slot.
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
  std::vector<CommitName> candidates;  // all latest commits, by id; more than one: see standing
  std::array<std::array<bool, format::kSlots>, format::kCopies> settled{};
  // Under the winner: the copies of each column whose slot might hold a later commit.
  std::array<CopySet, format::kSlots> unsettled{};
  CopySet holders;  // copies with a whole slot of the winner

  [[nodiscard]] bool writable() const { return standing == Standing::read_write; }
};

// Total. `quorum` is contains_quorum everywhere but where quorum rules are compared.
[[nodiscard]] Decision decide(const SlotFacts& facts, QuorumRule quorum = contains_quorum);

// Why, in a sentence for people.
[[nodiscard]] std::string reason_of(const Decision& decision);

}  // namespace dmremap::metadata
