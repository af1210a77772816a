// SPDX-License-Identifier: GPL-2.0-or-later
// The rule of decision.hpp, row by row, and what it must not depend on.
#include "metadata/decision.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dmremap::metadata {
namespace {

CommitName commit(std::uint64_t sequence, std::uint64_t term = 1, unsigned id = 0) {
  CommitName out{sequence, term, {}, 0};
  out.id.bytes[0] = static_cast<std::byte>(sequence);
  out.id.bytes[1] = static_cast<std::byte>(term);
  out.id.bytes[2] = static_cast<std::byte>(id);
  return out;
}

SlotFact whole(const CommitName& name) {
  return {true, true, name};
}
SlotFact torn(const CommitName& name) {
  return {true, false, name};
}
constexpr SlotFact kUnsettled{};

constexpr unsigned kA = 0;

// After commit 7 (column B) over commit 6 (column A), on every copy.
SlotFacts healthy() {
  SlotFacts facts;
  for (auto& copy : facts) copy = {whole(commit(6)), whole(commit(7))};
  return facts;
}

TEST(Quorum, IsThreeNearAndOneFarOrAllFar) {
  EXPECT_TRUE(contains_quorum(CopySet{0b0010'0111U}));
  EXPECT_TRUE(contains_quorum(CopySet{0b1110'0000U}));
  EXPECT_FALSE(contains_quorum(CopySet{0b0001'1111U}));
  EXPECT_FALSE(contains_quorum(CopySet{0b0110'0011U}));
  EXPECT_FALSE(contains_quorum(CopySet{}));
}

TEST(Quorum, AnyTwoQuorumsShareACopyOrTheRuleSaysDoubtful) {
  // Three near and one far against three far: they share the far one.
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      if (!contains_quorum(CopySet{a}) || !contains_quorum(CopySet{b})) continue;
      ASSERT_NE(a & b, 0U);
    }
  }
}

TEST(Decision, AHealthySetIsWritable) {
  const Decision d = decide(healthy());
  EXPECT_EQ(d.standing, Standing::read_write);
  EXPECT_EQ(d.winner, commit(7));
  EXPECT_EQ(d.holders.size(), 8U);
}

TEST(Decision, NothingWholeHasNoWinner) {
  EXPECT_EQ(decide(SlotFacts{}).standing, Standing::no_winner);
  SlotFacts facts{};
  facts[0][kA] = torn(commit(2));
  EXPECT_EQ(decide(facts).standing, Standing::no_winner);
}

TEST(Decision, ASingleWholeSlotOfTheLatestWins) {
  SlotFacts facts = healthy();
  facts[3][kA] = whole(commit(8));
  const Decision d = decide(facts);
  EXPECT_EQ(d.winner, commit(8));
  EXPECT_EQ(d.standing, Standing::read_write);
}

TEST(Decision, AnyTwoCopiesMayDie) {
  for (unsigned a = 0; a < 8; ++a) {
    for (unsigned b = 0; b < 8; ++b) {
      SlotFacts facts = healthy();
      facts[a] = {kUnsettled, kUnsettled};
      facts[b] = {kUnsettled, kUnsettled};
      ASSERT_EQ(decide(facts).standing, Standing::read_write) << a << " " << b;
    }
  }
}

TEST(Decision, TheWholeNearRegionMayDie) {
  SlotFacts facts = healthy();
  for (unsigned copy = 0; copy < 5; ++copy) facts[copy] = {kUnsettled, kUnsettled};
  EXPECT_EQ(decide(facts).standing, Standing::read_write);
}

TEST(Decision, AQuorumOfUnsettledSlotsInOneColumnIsDoubtful) {
  SlotFacts facts = healthy();
  for (unsigned copy = 5; copy < 8; ++copy) facts[copy][kA] = kUnsettled;
  EXPECT_EQ(decide(facts).standing, Standing::doubtful);
}

TEST(Decision, ATornLaterCommitIsUnsettledAndBelowAQuorumHarmless) {
  SlotFacts facts = healthy();
  for (unsigned copy = 0; copy < 5; ++copy) facts[copy][kA] = torn(commit(8));
  EXPECT_EQ(decide(facts).standing, Standing::read_write);
  EXPECT_EQ(decide(facts).winner, commit(7));
  facts[5][kA] = torn(commit(8));
  EXPECT_EQ(decide(facts).standing, Standing::doubtful);
}

TEST(Decision, ATornBodyUnderAnEarlierSealIsSettled) {
  SlotFacts facts = healthy();
  for (auto& copy : facts) copy[kA] = torn(commit(6));
  EXPECT_EQ(decide(facts).standing, Standing::read_write);
}

TEST(Decision, TheTermDecidesBetweenEqualSequences) {
  SlotFacts facts = healthy();
  facts[2][kA] = whole(commit(8, 1));
  facts[4][kA] = whole(commit(8, 2));
  EXPECT_EQ(decide(facts).winner, commit(8, 2));
}

TEST(Decision, ASiblingThatCouldNotHaveReachedAQuorumLoses) {
  SlotFacts facts = healthy();
  for (unsigned copy = 0; copy < 8; ++copy) facts[copy][kA] = whole(commit(8, 2, 1));
  facts[1][kA] = whole(commit(8, 2, 2));
  const Decision d = decide(facts);
  EXPECT_EQ(d.standing, Standing::read_write);
  EXPECT_EQ(d.winner, commit(8, 2, 1));
}

TEST(Decision, TwoSiblingsNeitherOfWhichCanBeRuledOutAreAFork) {
  SlotFacts facts = healthy();
  for (const unsigned copy : {0U, 1U, 5U}) facts[copy][kA] = whole(commit(8, 2, 1));
  for (const unsigned copy : {3U, 4U, 6U}) facts[copy][kA] = whole(commit(8, 2, 2));
  for (const unsigned copy : {2U, 7U}) facts[copy][kA] = kUnsettled;
  const Decision d = decide(facts);
  EXPECT_EQ(d.standing, Standing::fork);
  EXPECT_EQ(d.candidates.size(), 2U);
}

TEST(Decision, TheWallClockDoesNotMatter) {
  SlotFacts facts = healthy();
  for (auto& copy : facts) copy[kA].commit.wall_ns = 1'000'000'000'000;
  EXPECT_EQ(decide(facts).winner->sequence, 7U);
}

SlotFact any_fact() {
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      return kUnsettled;
    case 1:
      return torn(
          commit(*rc::gen::inRange<std::uint64_t>(4, 9), *rc::gen::inRange<std::uint64_t>(1, 3)));
    default:
      return whole(commit(*rc::gen::inRange<std::uint64_t>(4, 9),
                          *rc::gen::inRange<std::uint64_t>(1, 3), *rc::gen::inRange(0U, 2U)));
  }
}

RC_GTEST_PROP(Decision, DoesNotDependOnTheOrderOfCopiesWithinARegion, ()) {
  SlotFacts facts;
  for (auto& copy : facts) copy = {any_fact(), any_fact()};
  const Decision before = decide(facts);
  std::swap(facts[*rc::gen::inRange<std::size_t>(0, 5)],
            facts[*rc::gen::inRange<std::size_t>(0, 5)]);
  std::swap(facts[*rc::gen::inRange<std::size_t>(5, 8)],
            facts[*rc::gen::inRange<std::size_t>(5, 8)]);
  const Decision after = decide(facts);
  RC_ASSERT(before.standing == after.standing);
  RC_ASSERT(before.winner == after.winner);
  RC_ASSERT(reason_of(before) == reason_of(after));
}

RC_GTEST_PROP(Decision, AWritableSetCannotHideALaterQuorum, ()) {
  SlotFacts facts;
  for (auto& copy : facts) copy = {any_fact(), any_fact()};
  const Decision d = decide(facts);
  if (!d.writable()) return;
  for (unsigned column = 0; column < 2; ++column) {
    CopySet might_be_later;
    for (unsigned copy = 0; copy < 8; ++copy) {
      const SlotFact& slot = facts[copy][column];
      if (!slot.sealed || slot.commit.order() > d.winner->order() ||
          (slot.commit.order() == d.winner->order() && slot.commit.id != d.winner->id)) {
        might_be_later.add(copy);
      }
    }
    RC_ASSERT(!contains_quorum(might_be_later));
  }
}

}  // namespace
}  // namespace dmremap::metadata
