// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8 for a spare that comes back while its set runs: which device is taken for it. The
// devices hold what a store wrote.
#include "metadata/returned_spare.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

#include <gtest/gtest.h>

#include "rig/store_rig.hpp"

namespace dmremap::metadata {
namespace {

class ReturnedSpare : public ::testing::Test {
 protected:
  ReturnedSpare() {
    EXPECT_TRUE(rig_.create());
    store_ = *rig_.open();
    EXPECT_TRUE(commit_one());
    record_ = {rig_.content.identity.set_uuid, rig_.content.identity.spare_uuid, kSize, 512, true};
  }

  Result<CommitName> commit_one() { return commit(*store_, with_extents(rig_.content, ++count_)); }
  // A device that holds what the spare holds now.
  [[nodiscard]] std::unique_ptr<sim::SimDevice> copy(io::Geometry geometry = {kSize, 512, 4096}) {
    auto out = std::make_unique<sim::SimDevice>(geometry);
    const std::vector<std::byte> bytes = rig_.image();
    out->poke({0}, std::span(bytes).first(std::min(bytes.size(), geometry.size.bytes())));
    return out;
  }
  [[nodiscard]] ReturnJudgement judge(io::BlockDevice& device) const {
    const auto found = survey(device);
    if (!found) return {ReturnVerdict::stranger, found.error().what};
    return judge_returned_spare(record_, store_->known_commits(), device.geometry(), *found);
  }
  void expect_same(io::BlockDevice& device) const {
    const ReturnJudgement judged = judge(device);
    EXPECT_EQ(judged.verdict, ReturnVerdict::same) << judged.reason;
  }
  void expect_refused(io::BlockDevice& device, std::string_view why) const {
    const ReturnJudgement judged = judge(device);
    EXPECT_EQ(judged.verdict, ReturnVerdict::refused);
    EXPECT_NE(judged.reason.find(why), std::string::npos) << judged.reason;
  }
  // Puts the slots of the last commit's column back to what they were in `before`, in these copies.
  void roll_back(sim::SimDevice& device, const std::vector<std::byte>& before, CopySet copies) {
    const unsigned column = format::column_of(store_->current().sequence);
    for (unsigned i = 0; i < format::kCopies; ++i) {
      if (!copies.contains(i)) continue;
      const SectorRange slot = rig_.slot_range(i, column);
      device.poke(slot.first,
                  std::span(before).subspan(slot.first.byte_offset(), slot.count.bytes()));
    }
  }

  StoreRig rig_;
  std::unique_ptr<Store> store_;
  SpareRecord record_;
  std::uint64_t count_ = 0;
};

TEST_F(ReturnedSpare, Promise8_TheSpareAsTheSetLeftItIsTaken) {
  expect_same(rig_.spare);
  ASSERT_TRUE(commit_one());
  expect_same(rig_.spare);
  // It may have grown, and a copy that was made while it was away is as good.
  expect_same(*copy({kSize + SectorCount{2'048}, 512, 4096}));
}

TEST_F(ReturnedSpare, Promise8_AnOlderCopyIsRefused) {
  const auto older = copy();
  ASSERT_TRUE(commit_one());
  expect_refused(*older, "older state");
}

TEST_F(ReturnedSpare, Promise8_ASpareThatAnotherMachineWroteToIsRefused) {
  const auto elsewhere = copy();
  const auto found = survey(*elsewhere);
  ASSERT_TRUE(found && found->content);
  const auto other = Store::activate(*elsewhere, *found, *found->content, rig_.random, rig_.clock);
  ASSERT_TRUE(other);
  expect_refused(*elsewhere, "written to by others");
  // Nor once the set itself has gone as far by its own count.
  ASSERT_TRUE(commit_one());
  EXPECT_EQ(store_->current().sequence, (*other)->current().sequence);
  expect_refused(*elsewhere, "written to by others");
}

TEST_F(ReturnedSpare, Promise8_AForkIsRefused) {
  const CommitName last = store_->current();
  format::Seal seal = seal_of(rig_.content, last.sequence, last.term);
  seal.commit = rig_.random.commit_id();
  const auto forked = copy();
  lay(*forked, seal, rig_.content);
  expect_refused(*forked, "a fork");
}

TEST_F(ReturnedSpare, Promise8_OtherDevicesAreStrangers) {
  sim::SimDevice blank({kSize, 512, 4096});
  EXPECT_EQ(judge(blank).verdict, ReturnVerdict::stranger);
  sim::SimDevice small({{2'048}, 512, 4096});
  EXPECT_EQ(judge(small).verdict, ReturnVerdict::stranger);
  StoreRig other(kSize, 8);
  other.content = first_content(kSize, 2);
  ASSERT_TRUE(other.create());
  EXPECT_EQ(judge(other.spare).verdict, ReturnVerdict::stranger);
}

TEST_F(ReturnedSpare, Promise8_AnotherSpareOfTheSetIsRefused) {
  record_.device_uuid.bytes[5] ^= std::byte{1};
  expect_refused(rig_.spare, "another spare");
}

TEST_F(ReturnedSpare, Promise8_ADeviceThatDoesNotFitIsRefused) {
  expect_refused(*copy({kSize - SectorCount{2'048}, 512, 4096}), "sectors");
  expect_refused(*copy({kSize, 4096, 4096}), "blocks of 4096 bytes");
  record_.logical_block_bytes = 4096;
  expect_same(*copy({kSize, 4096, 4096}));
}

TEST_F(ReturnedSpare, Promise8_OneThatIsSmallerThanItWasGrownToIsRefused) {
  const SectorCount grown = kSize + SectorCount{2'048};
  format::Content content = rig_.content;
  content.grown_spare = grown;
  ASSERT_TRUE(commit(*store_, content));
  // What the set knew of its size when it was started has not changed.
  ASSERT_EQ(record_.size, kSize);
  expect_refused(*copy({kSize, 512, 4096}), "sectors");
  expect_same(*copy({grown, 512, 4096}));
}

TEST_F(ReturnedSpare, Promise7_ASpareThatMayHideANewerCommitIsRefused) {
  for (unsigned i = 0; i < 4; ++i) rig_.damage(i);
  rig_.damage(5);
  expect_refused(rig_.spare, "doubtful");
  // A set that writes nothing goes on with what it served.
  record_.writes = false;
  expect_same(rig_.spare);
}

// The store would find its commit lost, and end all writing.
TEST_F(ReturnedSpare, Promise7_ASpareOnWhichTooFewCopiesHoldTheLastCommitIsRefused) {
  const std::vector<std::byte> before = rig_.image();
  ASSERT_TRUE(commit_one());
  roll_back(rig_.spare, before, CopySet{0b0011'1111U});
  expect_refused(rig_.spare, "only 2 of 8");
  roll_back(rig_.spare, before, kAllCopies);
  expect_refused(rig_.spare, "older state");
}

// Seals of it are on the spare, and the next opening may find it or the one before: either is what
// the set left.
TEST_F(ReturnedSpare, Promise7_ACommitOfUnknownFateMayBeThereOrNot) {
  const std::vector<std::byte> before = rig_.image();
  const unsigned column = format::column_of(store_->next_sequence());
  for (unsigned i = 0; i < 6; ++i) {
    const SectorRange slot = rig_.slot_range(i, column);
    rig_.spare.fail_writes({slot.first, {8}}, ENODEV);
  }
  const CommitName last = store_->current();
  ASSERT_FALSE(commit_one());
  ASSERT_NE(store_->read_only_reason(), "");
  rig_.spare.clear_faults();
  const KnownCommits known = store_->known_commits();
  EXPECT_EQ(known.last, last);
  ASSERT_TRUE(known.undecided);
  EXPECT_EQ(known.undecided->sequence, last.sequence + 1);
  ASSERT_EQ(survey(rig_.spare)->decision.winner->id, known.undecided->id);
  expect_same(rig_.spare);
  rig_.spare.poke({0}, before);
  ASSERT_EQ(survey(rig_.spare)->decision.winner->id, last.id);
  expect_same(rig_.spare);
}

TEST_F(ReturnedSpare, Promise7_ACommitThatNeverGotASealIsUnknownToNobody) {
  for (unsigned i = 0; i < format::kCopies; ++i) {
    rig_.spare.fail_writes(rig_.copy_range(i), ENODEV);
  }
  ASSERT_FALSE(commit_one());
  EXPECT_EQ(store_->read_only_reason(), "");
  EXPECT_FALSE(store_->known_commits().undecided);
  rig_.spare.clear_faults();
  expect_same(rig_.spare);
}

// What is on the spare now may not be what was verified there: it is looked at, and written whole.
TEST_F(ReturnedSpare, Promise7_AfterAReturnAllCopiesAreReadAgainBeforeTheNextCommit) {
  const std::vector<std::byte> before = rig_.image();
  ASSERT_TRUE(commit_one());
  roll_back(rig_.spare, before, CopySet{0b0000'0011U});
  store_->doubt_all_copies();
  ASSERT_TRUE(store_->check_alone());
  EXPECT_EQ(store_->copies().good, 6U);
  ASSERT_TRUE(commit_one());
  ASSERT_TRUE(commit_one());
  EXPECT_EQ(store_->copies().good, 8U);
  const auto found = survey(rig_.spare);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->decision.holders, kAllCopies);
}

}  // namespace
}  // namespace dmremap::metadata
