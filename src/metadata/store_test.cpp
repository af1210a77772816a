// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/store.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "rig/store_rig.hpp"

namespace dmremap::metadata {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { EXPECT_TRUE(rig_.create()); }

  Result<std::unique_ptr<Store>> open() { return rig_.open(); }
  void damage(unsigned copy, unsigned slot) { rig_.damage(copy, slot); }

  StoreRig rig_;
  SeededRandom& random_ = rig_.random;
  FixedClock& clock_ = rig_.clock;
  sim::SimDevice& spare_ = rig_.spare;
};

TEST_F(StoreTest, CreateSealsEverySlotOfEveryCopy) {
  const auto found = survey(spare_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->decision.standing, Standing::read_write);
  EXPECT_EQ(found->decision.winner->sequence, 2U);
  for (const CopyReport& copy : found->copies) {
    EXPECT_EQ(copy.slots[0].verdict, format::Verdict::good);
    EXPECT_EQ(copy.slots[1].verdict, format::Verdict::stale);
    EXPECT_TRUE(copy.slots[0].settled && copy.slots[1].settled);
  }
}

TEST_F(StoreTest, AnActivationTakesTheNextSequenceAndTerm) {
  const auto store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->current().sequence, 3U);
  EXPECT_EQ((*store)->current().term, 2U);
  const auto next = commit(**store, with_extents(first_content(), 1));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->sequence, 4U);
  EXPECT_EQ(next->term, 2U);
}

TEST_F(StoreTest, WhatWasCommittedIsWhatIsFound) {
  const format::Content content = with_extents(first_content(), 500);
  ASSERT_TRUE(commit(**open(), content));
  const auto found = survey(spare_);
  ASSERT_TRUE(found && found->content);
  EXPECT_EQ(found->content->extents, content.extents);
}

TEST_F(StoreTest, ACommitOfOneRemapWritesAtMost16KiBACopy) {
  const auto store = open();
  ASSERT_TRUE(store);
  // Both columns warm, and far enough that block boundaries are crossed.
  for (std::uint64_t n = 1; n <= 400; ++n) {
    std::uint64_t sectors = 0;
    spare_.set_hook([&](const sim::Request& request) {
      if (request.kind == sim::Request::Kind::write) sectors += request.range.count.value;
      return io::kIoOk;
    });
    ASSERT_TRUE(commit(**store, with_extents(first_content(), n)));
    if (n > 2) {
      ASSERT_LE(sectors * kSectorBytes, kKiB * 8 * 16) << n << " extents";
    }
  }
}

TEST_F(StoreTest, AFullTableIsAClearStateAndNothingIsWritten) {
  const auto store = open();
  ASSERT_TRUE(store);
  format::Content content = first_content();
  const std::size_t capacity = table_capacity(content);
  EXPECT_GE(capacity, 10'000U);
  for (std::uint64_t i = 0; i < capacity; ++i) {
    content.extents.push_back(format::Extent(format::State::lost, {{i * 16}, {8}}));
  }
  ASSERT_TRUE(commit(**store, content));
  const std::vector<std::byte> before = spare_.contents();
  content.extents.push_back(format::Extent(format::State::lost, {{capacity * 16}, {8}}));
  const auto full = commit(**store, content);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::metadata_full);
  EXPECT_EQ(spare_.contents(), before);
  content.extents.pop_back();
  EXPECT_TRUE(commit(**store, content));
}

TEST_F(StoreTest, ASetKnowsOfItsFirstExtentsFromTheStart) {
  const format::Content content = with_extents(first_content(), 300);
  ASSERT_TRUE(Store::create(spare_, content, random_, clock_));
  const auto found = survey(spare_);
  ASSERT_TRUE(found && found->content);
  EXPECT_EQ(found->decision.standing, Standing::read_write);
  EXPECT_EQ(found->decision.winner->sequence, 2U);
  EXPECT_EQ(found->content->extents, content.extents);
  EXPECT_TRUE(Store::activate(spare_, *found, *found->content, random_, clock_));
}

TEST_F(StoreTest, ASetThatStartsWithTooManyExtentsIsNotMade) {
  const std::vector<std::byte> before = spare_.contents();
  const format::Content content = with_extents(first_content(), 50'000);
  EXPECT_EQ(Store::create(spare_, content, random_, clock_).error().code, ErrorCode::metadata_full);
  EXPECT_EQ(spare_.contents(), before);
}

// A crash at any step leaves no set, or the whole one.
TEST_F(StoreTest, Promise9_EveryStepOfACreateWithExtentsMayBeTheLast) {
  const format::Content content = with_extents(first_content(), 300);
  bool made = false;
  bool none = false;
  for (std::uint64_t step = 0;; ++step) {
    sim::SimDevice spare({kSize, 512, 4096}, "spare");
    spare.set_hook([step](const sim::Request& request) -> io::IoStatus {
      return {request.step >= step ? ENODEV : 0};
    });
    const bool whole = Store::create(spare, content, random_, clock_).has_value();
    spare.set_hook({});
    spare.power_cut([step](const sim::Request&, Sector) { return step % 2 == 0; });
    const auto found = survey(spare);
    ASSERT_TRUE(found) << "step " << step;
    if (found->content) {
      made = true;
      ASSERT_EQ(found->content->extents, content.extents) << "step " << step;
    } else {
      none = true;
      ASSERT_FALSE(whole) << "step " << step;
    }
    if (whole) break;
  }
  EXPECT_TRUE(made && none);
}

TEST_F(StoreTest, OpensWithAnyTwoCopiesDeadAndMendsThem) {
  for (const auto& [a, b] : {std::pair{0U, 1U}, {2U, 7U}, {5U, 6U}}) {
    for (const unsigned copy : {a, b}) {
      damage(copy, 0);
      damage(copy, 1);
    }
    const auto store = open();
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->copies().good, 8U);
  }
}

TEST_F(StoreTest, DoubtfulIsRefusedAndNothingIsWritten) {
  for (unsigned copy = 5; copy < 8; ++copy) damage(copy, 0);
  const std::vector<std::byte> before = spare_.contents();
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::metadata_doubtful);
  EXPECT_EQ(spare_.contents(), before);
}

TEST_F(StoreTest, ANewerFormatIsRefusedAndNothingIsWritten) {
  std::vector<std::byte> block(format::kBlockBytes);
  ASSERT_TRUE(spare_.read({1024}, block).ok());
  block[8] = std::byte{2};
  const std::uint32_t crc = crc32c(std::span(block).first(508));
  for (unsigned i = 0; i < 4; ++i) block[508 + i] = static_cast<std::byte>(crc >> (8 * i));
  spare_.poke({1024}, block);
  const std::vector<std::byte> before = spare_.contents();
  const auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::metadata_newer);
  EXPECT_EQ(spare_.contents(), before);
}

TEST_F(StoreTest, ASealInTheWrongPlaceIsMisplacedAndOneOfAnotherSetForeign) {
  std::vector<std::byte> slot(format::kSlotBytes);
  ASSERT_TRUE(spare_.read({0}, slot).ok());
  spare_.poke({1024}, slot);
  sim::SimDevice other{{kSize, 512, 4096}};
  format::Content content = first_content();
  content.identity.set_uuid.bytes[5] = std::byte{9};
  ASSERT_TRUE(Store::create(other, content, random_, clock_));
  ASSERT_TRUE(other.read({2048}, slot).ok());
  spare_.poke({2048}, slot);
  const auto found = survey(spare_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->copies[1].slots[0].verdict, format::Verdict::misplaced);
  EXPECT_EQ(found->copies[2].slots[0].verdict, format::Verdict::foreign);
  EXPECT_FALSE(found->copies[1].slots[0].settled);
  EXPECT_EQ(found->decision.standing, Standing::read_write);
}

TEST_F(StoreTest, ACommitThatMissesItsQuorumEndsWritingForGood) {
  const auto store = open();
  ASSERT_TRUE(store);
  // The bodies are taken everywhere, so that seals are written; those of the far copies are not.
  for (const Sector copy : format::copy_positions(kSize)) {
    if (copy < Sector{9'216}) continue;
    for (const std::uint64_t slot : {std::uint64_t{0}, format::kSlotSectors.value}) {
      spare_.fail_writes({copy + SectorCount{slot}, format::kBlockSectors}, EIO);
    }
  }
  const auto missed = commit(**store, with_extents(first_content(), 1));
  ASSERT_FALSE(missed);
  EXPECT_EQ(missed.error().code, ErrorCode::metadata_commit);
  spare_.clear_faults();
  const auto after = commit(**store, with_extents(first_content(), 1));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::read_only);
}

TEST_F(StoreTest, AFailedFlushEndsWriting) {
  const auto store = open();
  ASSERT_TRUE(store);
  spare_.set_hook([](const sim::Request& request) {
    return request.kind == sim::Request::Kind::flush ? io::IoStatus{EIO} : io::kIoOk;
  });
  EXPECT_FALSE(commit(**store, with_extents(first_content(), 1)));
  spare_.set_hook({});
  EXPECT_FALSE((*store)->read_only_reason().empty());
  EXPECT_FALSE(commit(**store, with_extents(first_content(), 1)));
}

TEST_F(StoreTest, ADroppedWriteCostsACopyNotTheSet) {
  const auto store = open();
  ASSERT_TRUE(store);
  const std::vector<std::byte> before = spare_.contents();
  ASSERT_TRUE(commit(**store, with_extents(first_content(), 1)));
  // Copy 3 loses what it acknowledged and returned.
  spare_.poke({4096},
              std::span(before).subspan(std::size_t{4096} * 512, format::kCopySectors.bytes()));
  for (std::uint64_t n = 2; n < 12; ++n) {
    ASSERT_TRUE(commit(**store, with_extents(first_content(), n)));
  }
  EXPECT_EQ((*store)->copies().good, 8U);
}

TEST_F(StoreTest, AForeignWriterIsNoticedAndWritingEnds) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();  // bypassed the lock
  ASSERT_TRUE(second);
  const auto first_commit = commit(**first, with_extents(first_content(), 1));
  ASSERT_FALSE(first_commit);
  EXPECT_FALSE((*first)->read_only_reason().empty());
  EXPECT_TRUE(commit(**second, with_extents(first_content(), 1)));
}

TEST_F(StoreTest, CreateOnASpareThatCannotHoldEveryCopyFailsAndLeavesNoSet) {
  sim::SimDevice bad{{kSize, 512, 4096}};
  bad.fail_writes({{2'048}, {8}}, EIO);
  EXPECT_FALSE(Store::create(bad, first_content(), random_, clock_));
  bad.clear_faults();
  const auto found = survey(bad);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->has_set());
}

}  // namespace
}  // namespace dmremap::metadata
