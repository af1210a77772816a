// SPDX-License-Identifier: GPL-2.0-or-later
#include "quorum/rules.hpp"

#include <algorithm>
#include <array>

namespace dmremap::quorum {

using metadata::CommitName;
using metadata::CopySet;
using metadata::QuorumRule;
using metadata::SlotFact;
using metadata::SlotFacts;
using metadata::Standing;

namespace {

Ruling shipped(const SlotFacts& facts, QuorumRule quorum) {
  const metadata::Decision decision = metadata::decide(facts, quorum);
  return {decision.standing, decision.winner};
}

std::vector<CommitName> whole_commits(const SlotFacts& facts) {
  std::vector<CommitName> out;
  for (const auto& copy : facts) {
    for (const SlotFact& slot : copy) {
      if (slot.whole) out.push_back(slot.commit);
    }
  }
  return out;
}

std::optional<CommitName> latest(const std::vector<CommitName>& commits) {
  const auto best = std::max_element(
      commits.begin(), commits.end(),
      [](const CommitName& a, const CommitName& b) { return a.order() < b.order(); });
  return best == commits.end() ? std::nullopt : std::optional(*best);
}

// As the shipped rule, but for what makes a slot of `column` unsettled under `winner`.
template <typename Unsettled>
Ruling judge_by(const SlotFacts& facts, QuorumRule quorum, const std::optional<CommitName>& winner,
                const Unsettled& unsettled) {
  if (!winner) return {};
  for (unsigned column = 0; column < format::kSlots; ++column) {
    CopySet copies;
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      if (unsettled(facts[copy][column], *winner, column)) copies.add(copy);
    }
    if (quorum(copies)) return {Standing::doubtful, winner};
  }
  return {Standing::read_write, winner};
}

bool might_be_later(const SlotFact& slot, const CommitName& winner) {
  return !slot.sealed || slot.commit.order() > winner.order() ||
         (slot.commit.order() == winner.order() && slot.commit.id != winner.id);
}

// The newest commit of which two copies agree, as an administrator would put it.
Ruling newest_with_two_equal(const SlotFacts& facts, QuorumRule /*quorum*/) {
  const std::vector<CommitName> commits = whole_commits(facts);
  std::vector<CommitName> pairs;
  std::copy_if(commits.begin(), commits.end(), std::back_inserter(pairs), [&](const CommitName& c) {
    return std::count(commits.begin(), commits.end(), c) >= 2;
  });
  const auto winner = latest(pairs);
  return winner ? Ruling{Standing::read_write, winner} : Ruling{};
}

// What is readable cannot hide anything, whatever it says.
Ruling only_unreadable_counts(const SlotFacts& facts, QuorumRule quorum) {
  return judge_by(facts, quorum, latest(whole_commits(facts)),
                  [](const SlotFact& slot, const CommitName& /*winner*/, unsigned /*column*/) {
                    return !slot.sealed;
                  });
}

// Only the winner's own column is looked at.
Ruling one_column_only(const SlotFacts& facts, QuorumRule quorum) {
  return judge_by(facts, quorum, latest(whole_commits(facts)),
                  [](const SlotFact& slot, const CommitName& winner, unsigned column) {
                    return column == format::column_of(winner.sequence) &&
                           might_be_later(slot, winner);
                  });
}

// No term: the sequence orders, and between equal ones the greater id.
Ruling without_term(const SlotFacts& facts, QuorumRule quorum) {
  const auto before = [](const CommitName& a, const CommitName& b) {
    return std::pair(a.sequence, a.id) < std::pair(b.sequence, b.id);
  };
  const std::vector<CommitName> commits = whole_commits(facts);
  const auto best = std::max_element(commits.begin(), commits.end(), before);
  const auto winner = best == commits.end() ? std::nullopt : std::optional(*best);
  return judge_by(facts, quorum, winner,
                  [&](const SlotFact& slot, const CommitName& than, unsigned /*column*/) {
                    return !slot.sealed || before(than, slot.commit);
                  });
}

Ruling sequence_only(const SlotFacts& facts, QuorumRule quorum) {
  SlotFacts without = facts;
  for (auto& copy : without) {
    for (SlotFact& slot : copy) slot.commit.term = 0;
  }
  Ruling out = shipped(without, quorum);
  for (const CommitName& commit : whole_commits(facts)) {
    if (out.winner && commit.id == out.winner->id) out.winner = commit;
  }
  return out;
}

}  // namespace

const Rule& shipped_rule() {
  static const Rule rule{"shipped", shipped};
  return rule;
}

const std::vector<Rule>& wrong_rules() {
  static const std::vector<Rule> rules{
      {"newest with two equal copies", newest_with_two_equal},
      {"count only unreadable slots", only_unreadable_counts},
      {"one column only", one_column_only},
      {"no term", without_term},
  };
  return rules;
}

const Rule& rule_without_term_that_refuses_forks() {
  static const Rule rule{"no term, forks refused", sequence_only};
  return rule;
}

}  // namespace dmremap::quorum
