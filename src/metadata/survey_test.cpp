// SPDX-License-Identifier: GPL-2.0-or-later
// What is found on a spare that is not as it was left: of another size, or with slots of other
// sets.
#include "metadata/survey.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <gtest/gtest.h>

#include "rig/store_rig.hpp"

namespace dmremap::metadata {
namespace {

class SurveyTest : public ::testing::Test {
 protected:
  SurveyTest() { EXPECT_TRUE(rig_.create()); }

  // Everything of `rig_` that fits, on a device of another size.
  void move_to(StoreRig& other) {
    const std::vector<std::byte> bytes = rig_.image();
    other.spare.poke({0},
                     std::span(bytes).first(std::min(bytes.size(), other.spare.contents().size())));
  }
  void overwrite(unsigned copy, const StoreRig& with) {
    const SectorRange place = rig_.copy_range(copy);
    const std::vector<std::byte> bytes = with.image();
    rig_.spare.poke(place.first,
                    std::span(bytes).subspan(place.first.byte_offset(), place.count.bytes()));
  }

  StoreRig rig_;
};

// Where data may lie follows from the size in the identity, where the copies lie from that in the
// seal: a table must not be read by a size that would lead it into a copy.
TEST_F(SurveyTest, ABodyThatClaimsAnotherSpareThanItsSealIsTorn) {
  format::Content larger = rig_.content;
  larger.identity.spare.size = kSize + kSize;
  format::Content other = rig_.content;
  other.identity.spare_uuid.bytes[0] = std::byte{77};
  for (const format::Content* claim : {&larger, &other}) {
    lay(rig_.spare, seal_of(rig_.content, 3, 1), *claim);
    const auto found = survey(rig_.spare);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->copies[0].slots[1].verdict, format::Verdict::torn);
    EXPECT_EQ(found->decision.standing, Standing::doubtful);
  }
}

TEST_F(SurveyTest, ASlotOfASmallTableIsReadByOneRequest) {
  unsigned reads = 0;
  rig_.spare.set_hook([&reads](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::read) ++reads;
    return {};
  });
  ASSERT_TRUE(survey(rig_.spare));
  rig_.spare.set_hook({});
  EXPECT_EQ(reads, format::kCopies * format::kSlots);
}

// The request for a seal takes along what lies behind it, which may be neither readable nor needed.
TEST_F(SurveyTest, OnlyWhatCannotBeReadOfASlotItselfCounts) {
  const Sector start = rig_.copy_range(0).first;
  const std::vector<std::byte> image = rig_.image();
  const auto seal =
      format::unpack_seal(std::span(image).subspan(start.byte_offset(), format::kBlockBytes));
  ASSERT_EQ(seal.check, format::SealCheck::ok);
  const std::uint64_t used = format::kBlockSectors.value * (1 + seal.seal.body_blocks);
  const std::uint64_t looked_at = 2 * used + 64;
  for (std::uint64_t at = 0; at < looked_at; at += 4) {
    StoreRig rig;
    rig.spare.poke({0}, image);
    rig.spare.spoil({start + SectorCount{at}, {4}}, EIO);
    const auto found = survey(rig.spare);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->copies[0].slots[0].verdict,
              at < used ? format::Verdict::unreadable : format::Verdict::good)
        << at;
  }
}

TEST_F(SurveyTest, ATruncatedSpareIsDoubtfulAndLeftAlone) {
  StoreRig longer({kSize.value * 2});
  ASSERT_TRUE(longer.create());
  StoreRig shorter({format::kMinSpareSize});
  const std::vector<std::byte> bytes = longer.image();
  shorter.spare.poke({0}, std::span(bytes).first(format::kMinSpareSize.bytes()));
  const std::vector<std::byte> before = shorter.spare.contents();
  const auto store = shorter.open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::metadata_doubtful);
  EXPECT_EQ(shorter.spare.contents(), before);
}

TEST_F(SurveyTest, AGrownSpareKeepsItsCopiesWhereTheyWere) {
  StoreRig longer({kSize.value * 2});
  move_to(longer);
  for (unsigned copy = 1; copy < format::kNearCopies; ++copy) longer.damage(copy);
  const auto store = longer.open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->copies().good, 8U);
  const auto found = survey(longer.spare);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->positions, format::copy_positions(kSize));
}

TEST_F(SurveyTest, WhereTheWholeNearRegionIsUnreadableOnAGrownSpareSomethingIsSuspected) {
  StoreRig longer({kSize.value * 2});
  move_to(longer);
  longer.spare.fail_reads({{0}, {format::kNearEnd.value}}, EIO);
  const auto found = survey(longer.spare);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->traces, Traces::unreadable);
  EXPECT_TRUE(refusal(*found, "spare"));
}

// A device that holds something else, such as any main: bytes of no set wherever a seal could be.
class PlainDisk : public ::testing::Test {
 protected:
  PlainDisk() : disk_({kSize, 512, 4096}) {
    disk_.poke({0}, std::vector<std::byte>(kSize.bytes(), std::byte{0x5a}));
  }
  void zero(SectorRange range) {
    disk_.poke(range.first, std::vector<std::byte>(range.count.bytes()));
  }
  [[nodiscard]] Traces traces() {
    const auto found = survey(disk_);
    EXPECT_TRUE(found);
    return found ? found->traces : Traces::ours;
  }
  sim::SimDevice disk_;
};

TEST_F(PlainDisk, OneUnreadableSectorWhereACopyCouldLieIsNoTraceOfASet) {
  for (const Sector place : format::copy_positions(kSize)) {
    for (const std::uint64_t slot : {std::uint64_t{0}, format::kSlotSectors.value}) {
      disk_.clear_faults();
      disk_.fail_reads({place + SectorCount{slot}, {1}}, EIO);
      EXPECT_EQ(traces(), Traces::none) << place.value << " slot " << slot;
    }
  }
}

TEST_F(PlainDisk, UnreadableSectorsBetweenContentsOfOthersAreNoTraceOfASet) {
  disk_.fail_reads({{0}, {1}}, EIO);
  disk_.fail_reads({{2048}, {3000}}, EIO);
  for (unsigned far = format::kNearCopies; far < format::kCopies; ++far) {
    disk_.fail_reads({format::copy_positions(kSize)[far], {1}}, EIO);
  }
  EXPECT_EQ(traces(), Traces::none);
}

TEST_F(PlainDisk, OneUnreadableSectorOfABlankDiskIsNoTraceOfASet) {
  zero({{0}, kSize});
  disk_.fail_reads({{1024}, {1}}, EIO);
  EXPECT_EQ(traces(), Traces::none);
}

// What nothing that reads speaks against may be a spare whose copies all died.
TEST_F(PlainDisk, SeveralUnreadableCopiesThatNothingContradictsCouldBeASet) {
  zero({{0}, kSize});
  disk_.fail_reads({{0}, {1}}, EIO);
  disk_.fail_reads({{4096}, {1}}, EIO);
  EXPECT_EQ(traces(), Traces::unreadable);
  disk_.clear_faults();
  disk_.fail_reads({{0}, {8193}}, EIO);
  EXPECT_EQ(traces(), Traces::unreadable) << "the whole near region but one block";
  // Something that initialises disks put its first block there.
  disk_.clear_faults();
  disk_.poke({0}, std::vector<std::byte>(format::kBlockBytes, std::byte{0x5a}));
  disk_.fail_reads({{512}, {kSize.value - 512}}, EIO);
  EXPECT_EQ(traces(), Traces::unreadable);
}

TEST_F(SurveyTest, ASealThatReadsButDoesNotCheckIsATrace) {
  for (unsigned copy = 0; copy < format::kCopies; ++copy) rig_.damage(copy);
  EXPECT_EQ(survey(rig_.spare)->traces, Traces::none) << "nothing of ours is left";
  std::vector<std::byte> magic(format::kBlockBytes);
  constexpr std::string_view kMagic = "dm-remap";
  std::ranges::transform(kMagic, magic.begin(), [](char c) { return static_cast<std::byte>(c); });
  rig_.spare.poke(rig_.slot_range(6, 1).first, magic);
  EXPECT_EQ(survey(rig_.spare)->traces, Traces::ours);
}

// The seal of one copy died; all else was overwritten by another program.
TEST_F(SurveyTest, ABodyBehindAnUnreadableSealIsATrace) {
  const std::vector<std::byte> before = rig_.image();
  for (unsigned lives = 0; lives < format::kCopies; ++lives) {
    rig_.spare.clear_faults();
    rig_.spare.poke({0}, std::vector<std::byte>(kSize.bytes(), std::byte{0x5a}));
    const SectorRange slot = rig_.slot_range(lives, 1);
    rig_.spare.poke(slot.first,
                    std::span(before).subspan(slot.first.byte_offset(), slot.count.bytes()));
    rig_.spare.fail_reads({slot.first, {1}}, EIO);
    const auto found = survey(rig_.spare);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->traces, Traces::ours) << lives;
  }
}

// Slots of another set are damage like any other.
TEST_F(SurveyTest, NearCopiesOfAnotherSetDoNotHideWhatIsProved) {
  for (const SectorCount size : {kSize, SectorCount{kSize.value * 2}}) {
    StoreRig other(size);
    other.content = first_content(size, 9);
    ASSERT_TRUE(other.create());
    for (unsigned copy = 0; copy < 4; ++copy) {
      overwrite(copy, other);
      const auto found = survey(rig_.spare);
      ASSERT_TRUE(found) << copy;
      EXPECT_EQ(found->set_uuid, rig_.content.identity.set_uuid) << copy;
      EXPECT_TRUE(found->decision.writable()) << copy;
      EXPECT_EQ(found->copies[copy].slots[0].verdict, format::Verdict::foreign);
    }
    ASSERT_TRUE(rig_.open());
  }
}

TEST_F(SurveyTest, TheFarCopiesAloneOutweighANearRegionOfAnotherSet) {
  StoreRig other;
  other.content = first_content(kSize, 9);
  ASSERT_TRUE(other.create());
  for (unsigned copy = 0; copy < format::kNearCopies; ++copy) overwrite(copy, other);
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->copies().good, 8U);
  EXPECT_EQ(survey(rig_.spare)->set_uuid, rig_.content.identity.set_uuid);
}

TEST_F(SurveyTest, TwoSetsNeitherOfWhichIsProvedAreNotGuessedAt) {
  StoreRig other;
  other.content = first_content(kSize, 9);
  ASSERT_TRUE(other.create());
  const std::vector<std::byte> bytes = other.image();
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    const SectorRange slot = rig_.slot_range(copy, 1);
    rig_.spare.poke(slot.first,
                    std::span(bytes).subspan(slot.first.byte_offset(), slot.count.bytes()));
  }
  const auto found = survey(rig_.spare);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::ambiguous);
}

}  // namespace
}  // namespace dmremap::metadata
