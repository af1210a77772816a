// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/explanation.hpp"

#include <cerrno>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;
using table::Place;

constexpr SectorCount kSize{1000};

Extent extent(State state, std::uint64_t first, std::uint64_t count, std::uint64_t spare = 0) {
  return Extent(state, {{first}, {count}}, {kFirstSpare, {spare}})
      .with_evidence(EIO, 41, 1'700'000'000'000'000'000);
}

std::vector<Extent> table() {
  return {extent(State::remapped, 100, 8, 3072), extent(State::lost, 200, 1),
          extent(State::gone, 300, 2), extent(State::suspect, 400, 4)};
}

Explanation at(std::uint64_t sector, const Situation& now = {.sequence = 50}) {
  return explain(table(), kSize, {sector}, now);
}

TEST(Explanation, AGoodSectorIsOnMainUpToTheNextThatIsNot) {
  EXPECT_EQ(at(99).extent, (SectorRange{{0}, {100}}));
  EXPECT_EQ(at(108).extent, (SectorRange{{108}, {92}}));
  EXPECT_EQ(at(999).extent, (SectorRange{{404}, {596}}));
  EXPECT_EQ(at(99).state, State::good);
  EXPECT_EQ(at(99).at(), Sector{99});
  EXPECT_FALSE(at(99).evidence);
  EXPECT_EQ(explain({}, kSize, {5}, {}).extent, (SectorRange{{0}, kSize}));
}

TEST(Explanation, ARemappedSectorIsAsFarIntoItsSpareExtentAsIntoItsOwn) {
  const Explanation last = at(107);
  EXPECT_EQ(last.place, Place::spare);
  EXPECT_EQ(last.at(), Sector{3079});
  EXPECT_EQ(last.extent, (SectorRange{{100}, {8}}));
  ASSERT_TRUE(last.evidence);
  EXPECT_EQ(last.evidence->cause, EIO);
  EXPECT_EQ(last.evidence->sequence, 41U);
  EXPECT_EQ(last.evidence->time_ns, 1'700'000'000'000'000'000U);
}

TEST(Explanation, LostIsAskedAgainAndGoneNever) {
  EXPECT_EQ(at(200).read.target, Target::error);
  EXPECT_NE(at(200).read.text.find("asked again"), std::string::npos);
  EXPECT_EQ(at(301).read.target, Target::error);
  EXPECT_NE(at(301).read.text.find("never asked"), std::string::npos);
  const Situation read_only{.read_only = true};
  EXPECT_NE(at(200, read_only).read.text.find("not asked again"), std::string::npos);
}

TEST(Explanation, Promise2_AFailingPlaceIsAnErrorAndAskedAgainAndAWriteGoesElsewhere) {
  const Explanation failing = at(101, {.failing = ENODATA});
  EXPECT_EQ(failing.state, State::remapped);
  EXPECT_EQ(failing.place, Place::spare);
  EXPECT_EQ(failing.failing, ENODATA);
  EXPECT_EQ(failing.read.target, Target::error);
  EXPECT_NE(failing.read.text.find("ENODATA"), std::string::npos);
  EXPECT_NE(failing.read.text.find("asked again"), std::string::npos);
  EXPECT_EQ(failing.write.target, Target::spare);
  EXPECT_NE(failing.write.text.find("another"), std::string::npos);
  EXPECT_EQ(at(99, {.failing = ENODATA}).failing, 0) << "main is no matter of the spare's";
}

TEST(Explanation, AWriteEndsLostAndGone) {
  EXPECT_EQ(at(200).write.target, Target::spare);
  EXPECT_EQ(at(300).write.target, Target::spare);
  EXPECT_EQ(at(401).write.target, Target::main);
}

TEST(Explanation, NothingIsWrittenReadOnly) {
  const Situation now{.read_only = true};
  for (const std::uint64_t sector : {0U, 100U, 200U, 300U, 400U}) {
    EXPECT_EQ(at(sector, now).write.target, Target::error) << sector;
  }
  EXPECT_EQ(at(0, now).read.target, Target::main);
  EXPECT_EQ(at(100, now).read.target, Target::spare);
}

TEST(Explanation, WithoutMainOnlyTheSpareAnswers) {
  const Situation now{.tripped = true};
  EXPECT_EQ(at(0, now).read.target, Target::error);
  EXPECT_EQ(at(0, now).write.target, Target::error);
  EXPECT_EQ(at(200, now).write.target, Target::error);
  EXPECT_EQ(at(100, now).read.target, Target::spare);
  EXPECT_EQ(at(100, now).write.target, Target::spare);
}

TEST(Explanation, AFullSpareLeavesMain) {
  const Situation now{.spare_full = true};
  EXPECT_EQ(at(200, now).write.target, Target::main);
  EXPECT_NE(at(0, now).write.text.find("spare is full"), std::string::npos);
  EXPECT_NE(at(0, {.table_full = true}).write.text.find("table is full"), std::string::npos);
  EXPECT_EQ(at(100, now).write.target, Target::spare);
}

TEST(Explanation, TheSequenceIsTheLastWithItsLowBits) {
  constexpr std::uint64_t kTurn = std::uint64_t{1} << 32U;
  EXPECT_EQ(full_sequence(7, 9), 7U);
  EXPECT_EQ(full_sequence(7, kTurn + 9), kTurn + 7);
  EXPECT_EQ(full_sequence(0xfffffff0, kTurn + 9), 0xfffffff0U);
  // Beyond the latest, which only damage makes: left as it is.
  EXPECT_EQ(full_sequence(12, 9), 12U);
}

TEST(Explanation, ErrnosHaveNames) {
  EXPECT_EQ(errno_name(EIO), "EIO");
  EXPECT_EQ(errno_name(EILSEQ), "EILSEQ");
  EXPECT_EQ(errno_name(255), "errno 255");
}

}  // namespace
}  // namespace dmremap::view
