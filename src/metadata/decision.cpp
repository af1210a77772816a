// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/decision.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace dmremap::metadata {

namespace {

using Settled = decltype(Decision::settled);

// The commits with the highest (sequence, term) among those that have a whole slot, in the order of
// their ids. Several of them are siblings: each was begun by an opening that did not see the
// others.
std::vector<CommitName> latest_commits(const SlotFacts& facts) {
  std::vector<CommitName> out;
  for (const auto& copy : facts) {
    for (const SlotFact& slot : copy) {
      if (!slot.whole) continue;
      if (!out.empty() && slot.commit.order() < out.front().order()) continue;
      if (!out.empty() && slot.commit.order() > out.front().order()) out.clear();
      const bool known = std::any_of(out.begin(), out.end(),
                                     [&](const CommitName& c) { return c.id == slot.commit.id; });
      if (!known) out.push_back(slot.commit);
    }
  }
  std::sort(out.begin(), out.end(),
            [](const CommitName& a, const CommitName& b) { return a.id < b.id; });
  return out;
}

// The slots that are settled if `winner` is the winner. A sibling of it is not earlier, so a slot
// that names one is unsettled.
Settled settled_under(const SlotFacts& facts, const CommitName& winner) {
  Settled out{};
  for (std::size_t copy = 0; copy < facts.size(); ++copy) {
    for (std::size_t slot = 0; slot < format::kSlots; ++slot) {
      const SlotFact& fact = facts[copy][slot];
      out[copy][slot] =
          fact.sealed && (fact.commit.order() < winner.order() ||
                          (fact.commit.order() == winner.order() && fact.commit.id == winner.id));
    }
  }
  return out;
}

std::array<CopySet, format::kSlots> unsettled_copies(const Settled& settled) {
  std::array<CopySet, format::kSlots> out{};
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      if (!settled[copy][slot]) out[slot].add(copy);
    }
  }
  return out;
}

std::string describe(CopySet set) {
  return fmt::format("{} near and {} far", set.near(), set.far());
}

void set_winner(Decision& decision, const SlotFacts& facts, const CommitName& winner) {
  decision.winner = winner;
  decision.settled = settled_under(facts, winner);
  decision.unsettled = unsettled_copies(decision.settled);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    for (const SlotFact& slot : facts[copy]) {
      if (slot.whole && slot.commit.id == winner.id) decision.holders.add(copy);
    }
  }
}

}  // namespace

Decision decide(const SlotFacts& facts, QuorumRule quorum) {
  Decision out;
  out.candidates = latest_commits(facts);
  if (out.candidates.empty()) return out;
  for (const CommitName& candidate : out.candidates) {
    // An acknowledged commit was put on a quorum of one column. If a later one than the candidate,
    // or a sibling of it, had been acknowledged, the slots of that quorum would all be unsettled
    // now.
    const auto unsettled = unsettled_copies(settled_under(facts, candidate));
    if (quorum(unsettled[0]) || quorum(unsettled[1])) continue;
    set_winner(out, facts, candidate);
    out.standing = Standing::read_write;
    return out;
  }
  // Nothing is proved. The first candidate is named so that people can be shown what there is.
  set_winner(out, facts, out.candidates.front());
  out.standing = out.candidates.size() > 1 ? Standing::fork : Standing::doubtful;
  return out;
}

std::string reason_of(const Decision& decision) {
  switch (decision.standing) {
    case Standing::no_winner:
      return "no copy holds a whole commit";
    case Standing::read_write:
      return fmt::format(
          "latest commit, whole on {} copies; the unsettled slots (A: {}, B: {}) could not hold a "
          "later one",
          decision.holders.size(), describe(decision.unsettled[0]),
          describe(decision.unsettled[1]));
    case Standing::fork:
      return fmt::format(
          "{} commits of sequence {} and term {}, and neither can be proved unacknowledged",
          decision.candidates.size(), decision.winner->sequence, decision.winner->term);
    case Standing::doubtful:
      break;
  }
  const unsigned column = contains_quorum(decision.unsettled[0]) ? 0 : 1;
  return fmt::format(
      "slots {} of {} copies are unsettled: a later acknowledged commit may be hidden there",
      format::slot_name(column), describe(decision.unsettled[column]));
}

}  // namespace dmremap::metadata
