// SPDX-License-Identifier: GPL-2.0-or-later
// Damage to the metadata under a running set: it is found by reading, mended by the two commits
// that follow, and nothing that another writer put there is mended over.
#include <algorithm>
#include <cerrno>

#include <gtest/gtest.h>

#include "metadata/offline.hpp"
#include "rig/crash_explorer.hpp"

namespace dmremap::metadata {
namespace {

// The kinds of damage that a slot may take. Of the bodies the last block is changed, which a commit
// that changes little does not write again.
enum class Damage { seal_corrupt, seal_erased, body_corrupt, seal_unreadable, body_unreadable };
constexpr Damage kDamages[] = {Damage::seal_corrupt, Damage::seal_erased, Damage::body_corrupt,
                               Damage::seal_unreadable, Damage::body_unreadable};

class CheckCopyTest : public ::testing::Test {
 protected:
  CheckCopyTest() {
    EXPECT_TRUE(rig_.create());
    reopen();
  }
  // Opens the set anew, and makes `commits` commits.
  void reopen(std::uint64_t commits = 2) {
    store_.reset();
    auto opened = rig_.open();
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    for (std::uint64_t n = 0; n < commits; ++n) ASSERT_TRUE(commit_once());
  }
  [[nodiscard]] format::Content content(std::uint64_t extents = 600) const {
    return with_extents(rig_.content, extents);
  }
  // What it commits hardly changes from one to the next.
  [[nodiscard]] Result<CommitName> commit_once() {
    return commit(*store_, content(600 + ++made_ % 2));
  }
  // As a pass of the scan does it; how many slots were damaged. An error is a failure.
  unsigned check_all() {
    unsigned damaged = 0;
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      const auto found = store_->check_copy(copy);
      EXPECT_TRUE(found) << copy << ": " << (found ? "" : found.error().message());
      if (found) damaged += static_cast<unsigned>(std::ranges::count(*found, true));
    }
    return damaged;
  }
  [[nodiscard]] std::size_t damaged_slots_now() {
    const auto found = survey(rig_.spare);
    EXPECT_TRUE(found && found->decision.writable());
    return found ? damaged_slots(*found).size() : 99;
  }
  void hurt(unsigned copy, unsigned slot, Damage kind) {
    const Sector seal = rig_.slot_range(copy, slot).first;
    const Sector last = seal + format::kBlockSectors + format::kBlockSectors;
    const std::vector<std::byte> noise(kSectorBytes, std::byte{0x5a});
    switch (kind) {
      case Damage::seal_corrupt:
        rig_.spare.poke(seal, noise);
        break;
      case Damage::seal_erased:
        rig_.damage(copy, slot, std::byte{0});
        break;
      case Damage::body_corrupt:
        rig_.spare.poke(last, noise);
        break;
      case Damage::seal_unreadable:
        rig_.spare.spoil({seal, {8}}, EIO);
        break;
      case Damage::body_unreadable:
        rig_.spare.spoil({last, {8}}, EIO);
        break;
    }
  }
  // A seal that another program put there: of this set unless `owner` says otherwise.
  void forge(unsigned copy, unsigned slot, std::uint64_t sequence, std::uint64_t term,
             const format::Content& owner) {
    const auto own = survey(rig_.spare);
    ASSERT_TRUE(own);
    format::Seal seal = seal_of(owner, sequence, term);
    seal.commit.bytes[3] = std::byte{0x77};
    seal.copy = static_cast<std::uint8_t>(copy);
    seal.slot = static_cast<std::uint8_t>(slot);
    const format::SlotAddress at{copy, slot};
    seal.byte_offset = format::slot_sector(seal.positions, at).byte_offset();
    seal.body_blocks = 1;
    std::vector<std::byte> block(format::kBlockBytes);
    format::pack_seal(seal, block);
    rig_.spare.poke(format::slot_sector(seal.positions, at), block);
  }

  StoreRig rig_;
  std::unique_ptr<Store> store_;
  std::uint64_t made_ = 0;
};

TEST_F(CheckCopyTest, NothingIsDamagedAfterAnyNumberOfCommits) {
  for (std::uint64_t commits = 0; commits < 4; ++commits) {
    reopen(commits);
    const std::uint64_t steps = rig_.spare.steps();
    EXPECT_EQ(check_all(), 0U) << commits;
    EXPECT_EQ(store_->copies().good, 8U);
    EXPECT_EQ(rig_.spare.steps(), steps) << "only reads";
  }
}

TEST_F(CheckCopyTest, EachKindOfDamageIsFoundAndMended) {
  for (const Damage kind : kDamages) {
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      for (unsigned slot = 0; slot < format::kSlots; ++slot) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " " << copy << " " << slot);
        hurt(copy, slot, kind);
        EXPECT_EQ(check_all(), 1U);
        ASSERT_TRUE(commit_once());
        ASSERT_TRUE(commit_once());
        EXPECT_EQ(check_all(), 0U);
        EXPECT_EQ(damaged_slots_now(), 0U);
        EXPECT_EQ(store_->copies().good, 8U);
      }
    }
  }
}

// A commit that changes little would not see or write the rest of a body.
TEST_F(CheckCopyTest, WithoutTheLookDamageStays) {
  hurt(4, 0, Damage::body_corrupt);
  hurt(4, 1, Damage::body_corrupt);
  ASSERT_TRUE(commit_once());
  ASSERT_TRUE(commit_once());
  EXPECT_EQ(damaged_slots_now(), 2U);
}

TEST_F(CheckCopyTest, TheCopiesOfTheLastRunAreLookedAtToo) {
  // After the activation alone the other column is as an earlier run left it, and was not read.
  for (const Damage kind : kDamages) {
    SCOPED_TRACE(static_cast<int>(kind));
    reopen(0);
    hurt(3, 1 - format::column_of(store_->current().sequence), kind);
    EXPECT_EQ(check_all(), 1U);
    ASSERT_TRUE(commit_once());
    EXPECT_EQ(check_all(), 0U);
  }
}

TEST_F(CheckCopyTest, WhatCannotBeWrittenStaysDamagedAndCosts) {
  const unsigned own = format::column_of(store_->current().sequence);
  rig_.spare.spoil(rig_.slot_range(6, own), EIO);
  rig_.spare.fail_writes(rig_.slot_range(6, own), EIO);
  EXPECT_EQ(check_all(), 1U);
  EXPECT_EQ(store_->copies().good, 7U);
  ASSERT_TRUE(commit_once());
  ASSERT_TRUE(commit_once());
  EXPECT_EQ(check_all(), 1U);
  EXPECT_TRUE(store_->read_only_reason().empty());
}

// The last commit would not be on a quorum any more, and what is left is no proof of anything.
TEST_F(CheckCopyTest, AQuorumThatIsGoneEndsWriting) {
  const unsigned own = format::column_of(store_->current().sequence);
  for (unsigned copy = 0; copy < 6; ++copy) hurt(copy, own, Damage::seal_corrupt);
  EXPECT_FALSE(store_->check_copy(0));
  EXPECT_FALSE(store_->read_only_reason().empty());
  EXPECT_EQ(store_->check_copy(7).error().code, ErrorCode::read_only);
}

TEST_F(CheckCopyTest, ASpareThatDoesNotAnswerProvesNothing) {
  rig_.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_FALSE(store_->check_copy(0));
  EXPECT_TRUE(store_->read_only_reason().empty());
  rig_.spare.set_hook({});
  EXPECT_EQ(check_all(), 0U);
  EXPECT_TRUE(commit_once());
}

TEST_F(CheckCopyTest, WhatAnotherWriterPutThereIsNotWrittenOver) {
  const std::uint64_t mine = store_->current().sequence;
  const std::uint64_t term = store_->current().term;
  const auto stranger = first_content(kSize, 2);
  struct Case {
    std::uint64_t sequence;
    std::uint64_t term;
    format::Content owner;
  };
  const Case cases[] = {
      {mine + 1, term + 1, rig_.content},  // an opening that did not see this one
      {mine + 2, term, rig_.content},      // a later commit in the same column
      {mine, term, rig_.content},          // a sibling of the last commit
      {mine - 1, term, rig_.content},      // a sibling of the one before
      {mine, term, stranger},              // another set, over what this one verified
      {mine - 1, term, stranger},
  };
  const std::vector<std::byte> healthy = rig_.image();
  for (unsigned copy : {0U, 4U, 7U}) {
    for (const Case& it : cases) {
      SCOPED_TRACE(testing::Message() << copy << " " << it.sequence << " " << it.term);
      rig_.restore(healthy);
      reopen();
      const std::uint64_t behind = store_->current().sequence - mine;
      forge(copy, format::column_of(it.sequence + behind), it.sequence + behind,
            it.term + store_->current().term - term, it.owner);
      const std::vector<std::byte> before = rig_.spare.contents();
      EXPECT_FALSE(store_->check_copy(copy));
      EXPECT_FALSE(store_->read_only_reason().empty());
      EXPECT_FALSE(commit_once());
      EXPECT_EQ(rig_.spare.contents(), before);
    }
  }
}

// Promise 9: damage on two copies, found and mended, and every step of that may be the last.
TEST(Promise9, EveryStepOfMendingARunningSetMayBeTheLast) {
  StoreRig rig(format::kMinSpareSize);
  ASSERT_TRUE(rig.create());
  const std::vector<std::byte> healthy = rig.image();
  const auto content = [&rig](std::uint64_t extents) {
    return with_extents(rig.content, extents, 24'000);
  };
  for (const auto& dead : {std::pair{0U, 3U}, {5U, 7U}}) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      std::unique_ptr<Store> store;
      std::size_t acknowledged = 0;
      const std::uint64_t steps = explore(
          rig,
          [&] {
            store.reset();
            rig.restore(healthy);
            store = std::move(*rig.open());
            ASSERT_TRUE(commit(*store, content(40)));
            ASSERT_TRUE(commit(*store, content(41)));
            ASSERT_TRUE(rig.spare.flush().ok());
            rig.damage(dead.first, slot);
            rig.damage(dead.second, slot, std::byte{0});
            acknowledged = 41;
          },
          [&] {
            unsigned damaged = 0;
            for (unsigned copy = 0; copy < format::kCopies; ++copy) {
              const auto found = store->check_copy(copy);
              ASSERT_TRUE(found);
              damaged += static_cast<unsigned>(std::ranges::count(*found, true));
            }
            ASSERT_EQ(damaged, 2U);
            ASSERT_TRUE(commit(*store, content(42)));
            acknowledged = 42;
            ASSERT_TRUE(commit(*store, content(42)));
          },
          [&](bool finished, InFlight fate) {
            const auto found = survey(rig.spare);
            ASSERT_TRUE(found);
            // In flight and unreadable on top of two damaged slots may be doubtful, never wrong.
            if (fate == InFlight::unreadable && !found->decision.writable()) return;
            ASSERT_TRUE(found->decision.writable());
            EXPECT_GE(found->content->extents.size(), acknowledged);
            EXPECT_LE(found->content->extents.size(), 42U);
            // The last wave of seals waits for the next flush.
            EXPECT_TRUE(!finished || fate != InFlight::kept || damaged_slots(*found).empty());
            EXPECT_TRUE(rig.open());
          });
      EXPECT_GE(steps, 38U) << "two commits to all copies";
    }
  }
}

}  // namespace
}  // namespace dmremap::metadata
