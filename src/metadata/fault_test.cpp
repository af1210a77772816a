// SPDX-License-Identifier: GPL-2.0-or-later
// Commits on a spare that fails, lies or is not alone; and what is refused before anything is
// written.
#include <cerrno>
#include <limits>

#include <gtest/gtest.h>

#include "rig/store_rig.hpp"

namespace dmremap::metadata {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

class FaultTest : public ::testing::Test {
 protected:
  FaultTest() { EXPECT_TRUE(rig_.create()); }

  [[nodiscard]] format::Content content(std::uint64_t extents) const {
    return with_extents(rig_.content, extents);
  }
  // Copies with a whole slot of the last commit, in each column.
  [[nodiscard]] std::pair<unsigned, unsigned> whole_slots() {
    const auto found = survey(spare_);
    std::pair<unsigned, unsigned> out;
    for (const CopyReport& copy : found->copies) {
      out.first += copy.slots[0].whole ? 1U : 0U;
      out.second += copy.slots[1].whole ? 1U : 0U;
    }
    return out;
  }
  void expect_refused_untouched(ErrorCode code) {
    const std::vector<std::byte> before = spare_.contents();
    const std::uint64_t steps = spare_.steps();
    const auto store = rig_.open();
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, code);
    EXPECT_EQ(spare_.contents(), before);
    EXPECT_EQ(spare_.steps(), steps);
  }
  // Every request fails as on a device that is gone, and the device is as it was afterwards.
  void unplug() {
    spare_.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  }
  void replug() { spare_.set_hook({}); }
  // `spare_` as if commits up to (sequence, term) had been made by earlier runs.
  void age(std::uint64_t sequence, std::uint64_t term) {
    lay(spare_, seal_of(rig_.content, sequence - 1, term), rig_.content);
    lay(spare_, seal_of(rig_.content, sequence, term), rig_.content);
  }

  StoreRig rig_;
  sim::SimDevice& spare_ = rig_.spare;
};

TEST_F(FaultTest, ACommitOnTheBarestQuorumSurvivesAnyTwoCopies) {
  {
    const auto store = rig_.open();
    ASSERT_TRUE(store);
    for (const unsigned copy : {3U, 4U, 6U, 7U}) spare_.fail_writes(rig_.copy_range(copy), EIO);
    ASSERT_TRUE(commit(**store, content(7)));
    EXPECT_EQ((*store)->copies().good, 4U);
  }
  for (unsigned a = 0; a < format::kCopies; ++a) {
    for (unsigned b = a; b < format::kCopies; ++b) {
      spare_.clear_faults();
      spare_.fail_reads(rig_.copy_range(a), ENODATA);
      spare_.fail_reads(rig_.copy_range(b), ENODATA);
      const auto found = survey(spare_);
      ASSERT_TRUE(found && found->decision.writable()) << a << " " << b;
      EXPECT_EQ(found->content->extents.size(), 7U) << a << " " << b;
    }
  }
}

// A stray dd or discard over a running set: nothing is acknowledged on what is no longer there.
TEST_F(FaultTest, CopiesThatWereWipedUnderARunningSetEndWriting) {
  const std::vector<std::byte> image = rig_.image();
  for (unsigned first = 0; first < format::kCopies; ++first) {
    rig_.restore(image);
    const auto store = rig_.open();
    ASSERT_TRUE(store);
    for (std::uint64_t n = 1; n <= std::uint64_t{2} * first; ++n)
      ASSERT_TRUE(commit(**store, content(n)));
    for (unsigned copy = 0; copy < format::kCopies; ++copy) rig_.damage(copy, 0, std::byte{0});
    for (unsigned copy = 0; copy < format::kCopies; ++copy) rig_.damage(copy, 1, std::byte{0});
    EXPECT_FALSE(commit(**store, content(100)));
    EXPECT_FALSE((*store)->read_only_reason().empty());
  }
}

// A cable that is pulled for a moment when a commit looks at the spare: nothing is known to be
// wrong, so nothing is given up.
TEST_F(FaultTest, Promise13_ASpareThatIsAwayForAMomentDoesNotEndWriting) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(commit(**store, content(1)));
  unplug();
  for (int i = 0; i < 3; ++i) {
    const auto failed = commit(**store, content(2));
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::metadata_commit);
    EXPECT_EQ((*store)->read_only_reason(), "");
    EXPECT_FALSE((*store)->check_alone());
    EXPECT_EQ((*store)->read_only_reason(), "");
  }
  replug();
  EXPECT_TRUE((*store)->check_alone());
  for (std::uint64_t n = 3; n < 20; ++n) ASSERT_TRUE(commit(**store, content(n)));
  EXPECT_EQ((*store)->copies().good, 8U);
  const auto found = survey(spare_);
  ASSERT_TRUE(found && found->content && found->decision.writable());
  EXPECT_EQ(found->content->extents.size(), 19U);
}

TEST_F(FaultTest, Promise13_ASpareThatTakesNoMetadataIsTriedAgain) {
  for (const int error : {EIO, ENOSPC, EPERM}) {
    const auto store = rig_.open();
    ASSERT_TRUE(store);
    const std::uint64_t sequence = (*store)->current().sequence;
    spare_.fail_writes({{0}, spare_.geometry().size}, error);
    EXPECT_FALSE(commit(**store, content(2)));
    EXPECT_FALSE(commit(**store, content(3)));
    EXPECT_EQ((*store)->read_only_reason(), "");
    // Nobody who opens the spare now finds anything but the last commit.
    const auto between = survey(spare_);
    ASSERT_TRUE(between && between->decision.winner);
    EXPECT_EQ(between->decision.winner->sequence, sequence);
    spare_.clear_faults();
    ASSERT_TRUE(commit(**store, content(4)));
    EXPECT_EQ((*store)->current().sequence, sequence + 1);
    EXPECT_EQ(survey(spare_)->content->extents.size(), 4U);
  }
}

// Back with an older content: what was only in the cache of the drive is gone.
TEST_F(FaultTest, Promise3_ASpareThatComesBackWithoutWhatItTookEndsWriting) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  const std::vector<std::byte> before = rig_.image();
  for (std::uint64_t n = 1; n <= 2; ++n) ASSERT_TRUE(commit(**store, content(n)));
  unplug();
  EXPECT_FALSE(commit(**store, content(3)));
  replug();
  rig_.restore(before);
  EXPECT_FALSE(commit(**store, content(3)));
  EXPECT_NE((*store)->read_only_reason(), "");
}

// Somebody else's commit on a copy that is not the one whose turn it is.
TEST_F(FaultTest, AForeignCommitIsSeenOnWhateverCopyIsLookedAtBesides) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(commit(**store, content(1)));
  format::Seal theirs = seal_of(rig_.content, (*store)->current().sequence + 2, 9);
  std::vector<std::byte> before = rig_.image();
  lay(spare_, theirs, rig_.content);
  const std::vector<std::byte> after = rig_.image();
  rig_.restore(before);
  const SectorRange copy = rig_.copy_range(7);
  spare_.poke(copy.first, std::span(after).subspan(copy.first.byte_offset(), copy.count.bytes()));
  for (unsigned i = 0; i < 4; ++i) spare_.fail_reads(rig_.copy_range(i), EIO);
  EXPECT_FALSE(commit(**store, content(2)));
  EXPECT_NE((*store)->read_only_reason().find("written by somebody else"), std::string::npos)
      << (*store)->read_only_reason();
}

// The last wave of seals is left to a later flush, but not if the commit rests on it.
TEST_F(FaultTest, WhatACommitRestsOnIsFlushedBeforeItIsAcknowledged) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  for (const unsigned copy : {5U, 6U}) spare_.fail_reads(rig_.copy_range(copy), ENODATA);
  ASSERT_TRUE(commit(**store, content(7)));
  spare_.power_cut([](const sim::Request&, Sector) { return false; });
  const auto found = survey(spare_);
  ASSERT_TRUE(found && found->content);
  EXPECT_TRUE(found->decision.holders.contains(7));
  EXPECT_EQ(found->content->extents.size(), 7U);
}

TEST_F(FaultTest, ACommitIsAcknowledgedAfterThreeFlushes) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  unsigned flushes = 0;
  spare_.set_hook([&](const sim::Request& request) {
    if (request.kind == sim::Request::Kind::flush) ++flushes;
    return io::kIoOk;
  });
  ASSERT_TRUE(commit(**store, content(7)));
  EXPECT_EQ(flushes, 3U);
  EXPECT_EQ((*store)->copies().good, 8U);
}

TEST_F(FaultTest, ACommitIsRepeatedAsTheSameCommit) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  unsigned failures = 8;
  spare_.set_hook([&](const sim::Request& request) {
    const bool fails = request.kind == sim::Request::Kind::write && failures > 0;
    if (fails) --failures;
    return fails ? io::IoStatus{EIO} : io::kIoOk;
  });
  ASSERT_TRUE(commit(**store, content(7)));
  const auto found = survey(spare_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->decision.candidates.size(), 1U);
  EXPECT_EQ(found->decision.holders.size(), 8U);
}

TEST_F(FaultTest, AWriteThatIsDroppedDoesNotCount) {
  for (const bool seal : {true, false}) {
    const auto store = rig_.open();
    ASSERT_TRUE(store);
    const SectorRange copy = rig_.copy_range(2);
    spare_.set_landing([&](const sim::Request& write) {
      const std::uint64_t offset = (write.range.first.value - copy.first.value) % 512;
      const bool dropped = copy.contains(write.range) && (offset == 0) == seal;
      return dropped ? std::nullopt : std::optional(write.range.first);
    });
    ASSERT_TRUE(commit(**store, content(7)));
    EXPECT_EQ((*store)->copies().good, 7U);
    spare_.set_landing({});
  }
}

TEST_F(FaultTest, WritesDroppedOnEveryFarCopyAreNoCommit) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  spare_.set_landing([&](const sim::Request& write) {
    return write.range.first < format::kNearEnd + SectorCount{0} ? std::optional(write.range.first)
                                                                 : std::nullopt;
  });
  const auto missed = commit(**store, content(7));
  ASSERT_FALSE(missed);
  EXPECT_EQ(missed.error().code, ErrorCode::metadata_commit);
  EXPECT_FALSE((*store)->read_only_reason().empty());
}

// The body blocks that a commit does not change are not written again. What a copy turned out to
// have lost must be.
TEST_F(FaultTest, ACopyThatWentBackIsWrittenWholeAgain) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  const std::vector<std::byte> before = spare_.contents();
  for (std::uint64_t n = 1; n <= 2; ++n) ASSERT_TRUE(commit(**store, content(n * 300)));
  const SectorRange copy = rig_.copy_range(3);
  spare_.poke(copy.first, std::span(before).subspan(copy.first.byte_offset(), copy.count.bytes()));
  for (std::uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(commit(**store, content(600 + n)));
  EXPECT_EQ(whole_slots(), std::pair(8U, 8U));
}

TEST_F(FaultTest, AMisdirectedWriteIsNoticedInTimeAndMended) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  for (std::uint64_t n = 1; n <= 2; ++n) ASSERT_TRUE(commit(**store, content(n * 300)));
  bool missed = false;
  const unsigned next = format::column_of((*store)->next_sequence());
  spare_.set_landing([&](const sim::Request& write) -> std::optional<Sector> {
    const bool body = write.range.first == rig_.slot_range(6, next).first + format::kBlockSectors;
    if (!body || missed) return write.range.first;
    missed = true;
    // Onto the table of another copy, in the column that holds the last commit.
    return rig_.slot_range(1, 1 - next).first + SectorCount{4 * format::kBlockSectors.value};
  });
  for (std::uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(commit(**store, content(600 + n)));
  EXPECT_TRUE(missed);
  EXPECT_EQ(whole_slots(), std::pair(8U, 8U));
}

TEST_F(FaultTest, ACommitOfANewerVersionMeanwhileEndsWriting) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(commit(**store, content(1)));
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    std::vector<std::byte> block(format::kBlockBytes);
    const Sector at = rig_.slot_range(copy, format::column_of((*store)->next_sequence())).first;
    ASSERT_TRUE(spare_.read(at, block).ok());
    block[8] = std::byte{2};
    const std::uint32_t crc = crc32c(std::span(block).first(508));
    for (unsigned i = 0; i < 4; ++i) block[508 + i] = static_cast<std::byte>(crc >> (8 * i));
    spare_.poke(at, block);
  }
  const std::vector<std::byte> before = spare_.contents();
  EXPECT_FALSE(commit(**store, content(2)));
  EXPECT_FALSE((*store)->read_only_reason().empty());
  EXPECT_EQ(spare_.contents(), before);
}

TEST_F(FaultTest, WhatCouldNotBeReadBackIsNotWritten) {
  const auto store = rig_.open();
  ASSERT_TRUE(store);
  const std::vector<std::byte> before = spare_.contents();
  format::Content nameless = content(1);
  nameless.identity.name.clear();
  format::Content beyond_main = content(1);
  beyond_main.extents = {format::Extent(format::State::lost, {{999'999}, {8}})};
  format::Content in_a_copy = with_extents(rig_.content, 1, 4'096);
  format::Content twice = content(2);
  // Two sectors of main in one place of the spare; one sector of main twice is no table at all.
  twice.extents[1] = format::Extent(format::State::remapped, {{500}, {8}},
                                    twice.extents[0].spare().first + SectorCount{4});
  format::Content other_set = content(1);
  other_set.identity.set_uuid.bytes[7] = std::byte{1};
  for (const auto* bad : {&nameless, &beyond_main, &in_a_copy, &twice, &other_set}) {
    EXPECT_FALSE(commit(**store, *bad));
    EXPECT_EQ(spare_.contents(), before);
  }
  EXPECT_TRUE((*store)->read_only_reason().empty());
  EXPECT_TRUE(commit(**store, content(1)));
}

TEST_F(FaultTest, TheLastSequenceNumbersAreGivenOutAndThenRefused) {
  age(kMax - 3, 5);
  {
    const auto store = rig_.open();
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->current().sequence, kMax - 2);
    ASSERT_TRUE(commit(**store, content(1)));
    const std::vector<std::byte> before = spare_.contents();
    const auto refused = commit(**store, content(2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::metadata_exhausted);
    EXPECT_EQ(spare_.contents(), before);
  }
  expect_refused_untouched(ErrorCode::metadata_exhausted);
}

TEST_F(FaultTest, ASequenceOrTermAtTheVeryEndDoesNotWrapToTheBeginning) {
  const std::vector<std::byte> image = rig_.image();
  for (const auto& [sequence, term] :
       {std::pair(kMax, std::uint64_t{9}), {kMax - 1, 9}, {9, kMax}}) {
    rig_.restore(image);
    age(sequence, term);
    expect_refused_untouched(ErrorCode::metadata_exhausted);
  }
}

TEST_F(FaultTest, ANewerFeatureThatForbidsWritingIsRespected) {
  for (const std::uint64_t sequence : {7U, 8U}) {
    format::Seal seal = seal_of(rig_.content, sequence, 3);
    seal.features.read_only_compatible = 4;
    lay(spare_, seal, rig_.content);
  }
  expect_refused_untouched(ErrorCode::metadata_newer);
  const auto found = survey(spare_);
  ASSERT_TRUE(found && found->content);
  EXPECT_TRUE(found->newer_read_only);
  EXPECT_FALSE(Store::activate(spare_, *found, *found->content, rig_.random, rig_.clock));
}

TEST_F(FaultTest, AFullTableCostsLittle) {
  StoreRig large({1U << 17U});
  ASSERT_TRUE(large.create());
  const auto store = large.open();
  ASSERT_TRUE(store);
  format::Content full = large.content;
  for (std::uint64_t i = 0; i < table_capacity(full); ++i) {
    full.extents.push_back(format::Extent(format::State::lost, {{i * 16}, {8}}));
  }
  ASSERT_TRUE(commit(**store, full));
  full.extents[5] = format::Extent(format::State::gone, full.extents[5].main());
  std::uint64_t sectors = 0;
  ASSERT_TRUE(commit(**store, full));
  spare_.set_hook({});
  large.spare.set_hook([&](const sim::Request& request) {
    if (request.kind == sim::Request::Kind::write) sectors += request.range.count.value;
    return io::kIoOk;
  });
  full.extents[9'000] = format::Extent(format::State::gone, full.extents[9'000].main());
  ASSERT_TRUE(commit(**store, full));
  EXPECT_LE(sectors * kSectorBytes, kKiB * 8 * 16);
}

}  // namespace
}  // namespace dmremap::metadata
