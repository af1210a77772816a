// SPDX-License-Identifier: GPL-2.0-or-later
// Repair, resolve, growth and release: what they do, what they refuse, and every step of them as
// the last.
#include "metadata/offline.hpp"

#include <algorithm>
#include <bit>

#include <gtest/gtest.h>

#include "rig/crash_explorer.hpp"

namespace dmremap::metadata {
namespace {

constexpr std::uint64_t kFirstData = 24'000;

class Offline : public ::testing::Test {
 protected:
  Offline() : rig_(format::kMinSpareSize) {
    EXPECT_TRUE(rig_.create());
    EXPECT_TRUE(commit(**rig_.open(), with_extents(rig_.content, 40, kFirstData)));
    healthy_ = rig_.image();
  }

  [[nodiscard]] Survey look() { return *survey(rig_.spare); }
  Result<RepairReport> mend() { return repair(rig_.spare, look(), rig_.random, rig_.clock); }
  Result<CommitName> keep(CommitId commit) {
    const Survey now = look();
    const auto content = read_commit(rig_.spare, now, commit);
    return resolve(rig_.spare, now, commit, content ? *content : rig_.content, rig_.random,
                   rig_.clock);
  }
  // Two commits of one sequence and term on so many copies each that neither can be ruled out.
  void fork() {
    const CommitName now = *look().decision.winner;
    const std::vector<std::byte> before = rig_.image();
    format::Seal seal = seal_of(rig_.content, now.sequence + 1, now.term + 1);
    seal.commit.bytes[5] = std::byte{1};
    lay(rig_.spare, seal, with_extents(rig_.content, 41, kFirstData));
    const std::vector<std::byte> one_side = rig_.image();
    seal.commit.bytes[5] = std::byte{2};
    lay(rig_.spare, seal, with_extents(rig_.content, 42, kFirstData));
    const unsigned column = format::column_of(seal.sequence);
    for (const unsigned copy : {0U, 1U, 5U}) put_slot(copy, column, one_side);
    for (const unsigned copy : {2U, 7U}) rig_.damage(copy, column);
    ASSERT_EQ(look().decision.standing, Standing::fork);
  }
  void put_slot(unsigned copy, unsigned column, const std::vector<std::byte>& image) {
    const SectorRange range = rig_.slot_range(copy, column);
    rig_.spare.poke(range.first,
                    std::span(image).subspan(range.first.byte_offset(), range.count.bytes()));
  }
  [[nodiscard]] bool is_whole_and_settled() {
    const Survey now = look();
    return now.decision.writable() && damaged_slots(now).empty();
  }
  void restore(const std::vector<std::byte>& image) { rig_.restore(image); }

  StoreRig rig_;
  std::vector<std::byte> healthy_;
};

TEST_F(Offline, ASoundSetIsNotTouchedByRepair) {
  const std::uint64_t steps = rig_.spare.steps();
  const auto done = mend();
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->slots.empty());
  EXPECT_EQ(rig_.spare.steps(), steps);
}

TEST_F(Offline, RepairMendsEverySlotInItsPlaceAndChangesNothingElse) {
  for (unsigned bits = 1; bits < 1U << 16U; bits = bits * 3 + 1) {
    restore(healthy_);
    for (unsigned slot = 0; slot < 16; ++slot) {
      if (((bits >> slot) & 1U) != 0) rig_.damage(slot / 2, slot % 2);
    }
    const Survey damaged = look();
    const auto done = mend();
    if (!damaged.decision.writable()) {
      ASSERT_FALSE(done);
      continue;
    }
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_EQ(done->slots.size(), static_cast<std::size_t>(std::popcount(bits & 0xffffU)));
    for (const DamagedSlot& slot : done->slots) EXPECT_TRUE(slot.mended);
    EXPECT_TRUE(is_whole_and_settled());
    if (!done->committed) {
      EXPECT_EQ(look().decision.winner, damaged.decision.winner);
      EXPECT_EQ(rig_.image(), healthy_) << "byte for byte what was there";
    }
  }
}

TEST_F(Offline, RepairMendsFromWhateverIsWholeIfTheCommitBeforeIsGone) {
  const unsigned other = 1 - format::column_of(look().decision.winner->sequence);
  const std::vector<std::byte> garbage(format::kBlockBytes, std::byte{0x55});
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    rig_.spare.poke(rig_.slot_range(copy, other).first + format::kBlockSectors, garbage);
  }
  ASSERT_TRUE(look().decision.writable());
  const auto done = mend();
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->committed);
  EXPECT_TRUE(is_whole_and_settled());
  EXPECT_EQ(look().content->extents.size(), 40U);
}

TEST_F(Offline, ASlotThatDoesNotTakeItIsReported) {
  rig_.damage(3);
  rig_.spare.fail_writes(rig_.copy_range(3), EIO);
  const auto done = mend();
  ASSERT_TRUE(done);
  ASSERT_EQ(done->slots.size(), 2U);
  EXPECT_FALSE(done->slots[0].mended || done->slots[1].mended);
}

TEST_F(Offline, ADoubtfulSetIsNotRepaired) {
  for (unsigned copy = 5; copy < 8; ++copy) rig_.damage(copy);
  const std::vector<std::byte> before = rig_.image();
  const auto done = mend();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::metadata_doubtful);
  EXPECT_EQ(rig_.image(), before);
}

TEST_F(Offline, EitherSideOfAForkMayBeKept) {
  fork();
  const std::vector<std::byte> forked = rig_.image();
  for (const std::size_t side : {0U, 1U}) {
    restore(forked);
    const Survey before = look();
    const CommitName kept = before.decision.candidates[side];
    const std::size_t extents = read_commit(rig_.spare, before, kept.id)->extents.size();
    const auto done = keep(kept.id);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_GT(done->order(), kept.order());
    EXPECT_TRUE(is_whole_and_settled());
    EXPECT_EQ(look().content->extents.size(), extents);
    EXPECT_TRUE(rig_.open());
  }
}

TEST_F(Offline, ADoubtIsEndedWhenAllFarCopiesAreDestroyed) {
  for (unsigned copy = 5; copy < 8; ++copy) rig_.damage(copy);
  const CommitName kept = *look().decision.winner;
  ASSERT_TRUE(keep(kept.id));
  EXPECT_TRUE(is_whole_and_settled());
  EXPECT_EQ(look().content->extents.size(), 40U);
}

// What cannot be read now may be read again later: then it would outrank whatever was kept.
TEST_F(Offline, WhatMightComeBackIsNotResolvedOver) {
  for (unsigned copy = 5; copy < 8; ++copy) rig_.damage(copy);
  const CommitName kept = *look().decision.winner;
  rig_.spare.fail_reads(rig_.copy_range(6), ENODATA);
  rig_.spare.fail_writes(rig_.copy_range(6), EIO);
  const std::vector<std::byte> before = rig_.image();
  const auto done = keep(kept.id);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::metadata_doubtful);
  EXPECT_NE(done.error().what.find("copy 6"), std::string::npos);
  EXPECT_EQ(rig_.image(), before) << "what cannot be read is tried first";
  EXPECT_EQ(look().decision.winner, kept);
}

// Two sides of a fork on one spare put different sectors into one place; either may have come last.
TEST_F(Offline, WhatTheOtherSideMayHaveOverwrittenBecomesGone) {
  using format::Extent;
  using format::State;
  format::Content kept = rig_.content;
  kept.extents = {Extent(State::remapped, {{100}, {16}}, {kFirstSpare, {24'000}}),
                  Extent(State::lost, {{200}, {8}}),
                  Extent(State::remapped, {{300}, {8}}, {kFirstSpare, {25'000}})};
  format::Content other = rig_.content;
  other.extents = {Extent(State::remapped, {{100}, {4}}, {kFirstSpare, {24'000}}),
                   Extent(State::remapped, {{500}, {4}}, {kFirstSpare, {24'004}}),
                   Extent(State::remapped, {{600}, {4}}, {kFirstSpare, {24'012}}),
                   Extent(State::remapped, {{700}, {8}}, {kFirstSpare, {26'000}})};
  EXPECT_EQ(give_up_shared(kept, other), 8U);
  const std::vector<Extent> expected{
      Extent(State::remapped, {{100}, {4}}, {kFirstSpare, {24'000}}),
      Extent(State::gone, {{104}, {4}}),
      Extent(State::remapped, {{108}, {4}}, {kFirstSpare, {24'008}}),
      Extent(State::gone, {{112}, {4}}),
      Extent(State::lost, {{200}, {8}}),
      Extent(State::remapped, {{300}, {8}}, {kFirstSpare, {25'000}})};
  EXPECT_EQ(kept.extents, expected);
}

TEST_F(Offline, ACommitThatIsNowhereWholeCannotBeKept) {
  fork();
  const std::vector<std::byte> before = rig_.image();
  CommitId unknown;
  unknown.bytes[3] = std::byte{77};
  EXPECT_FALSE(keep(unknown));
  EXPECT_EQ(rig_.image(), before);
}

// A resolution makes two commits and may have to leave a number out.
TEST_F(Offline, NoNumberIsLeftForAResolutionNearTheEnd) {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  for (const std::uint64_t last : {kMax - 1, kMax - 2, kMax - 3}) {
    restore(healthy_);
    lay(rig_.spare, seal_of(rig_.content, last - 1, 3), rig_.content);
    lay(rig_.spare, seal_of(rig_.content, last, 3), rig_.content);
    for (unsigned copy = 5; copy < 8; ++copy) rig_.damage(copy);
    const std::vector<std::byte> before = rig_.image();
    const auto done = keep(look().decision.winner->id);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::metadata_exhausted);
    EXPECT_EQ(rig_.image(), before);
  }
}

TEST_F(Offline, ReleaseLeavesNoTrace) {
  ASSERT_TRUE(release(rig_.spare, look()));
  const Survey now = look();
  EXPECT_FALSE(now.has_set());
  EXPECT_EQ(now.traces, Traces::none);
  for (unsigned copy = 0; copy < format::kCopies; ++copy) {
    std::vector<std::byte> bytes(format::kCopySectors.bytes());
    ASSERT_TRUE(rig_.spare.read(rig_.copy_range(copy).first, bytes).ok());
    EXPECT_TRUE(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST_F(Offline, ACopyThatCannotBeErasedIsNamed) {
  rig_.spare.fail_writes(rig_.copy_range(4), EIO);
  const auto done = release(rig_.spare, look());
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().what.find("1 of 8"), std::string::npos);
  EXPECT_FALSE(look().decision.writable());
}

TEST_F(Offline, Promise9_EveryStepOfARepairMayBeTheLast) {
  for (const std::vector<unsigned>& dead :
       {std::vector{0U, 1U}, {2U, 7U}, {5U, 6U}, {0U, 1U, 2U, 3U, 4U}}) {
    const std::uint64_t steps = explore(
        rig_,
        [&] {
          restore(healthy_);
          for (const unsigned copy : dead) rig_.damage(copy);
        },
        [&] { ASSERT_TRUE(mend()); },
        [&](bool finished, InFlight) {
          const Survey now = look();
          ASSERT_TRUE(now.decision.writable()) << now.reason;
          ASSERT_EQ(now.content->extents.size(), 40U);
          EXPECT_TRUE(!finished || damaged_slots(now).empty());
          ASSERT_TRUE(mend());
          EXPECT_TRUE(is_whole_and_settled());
        });
    EXPECT_GE(steps, 10U);
  }
}

TEST_F(Offline, Promise9_EveryStepOfAResolutionMayBeTheLast) {
  fork();
  const std::vector<std::byte> forked = rig_.image();
  const CommitName kept = look().decision.candidates[1];
  const std::size_t extents = read_commit(rig_.spare, look(), kept.id)->extents.size();
  const std::uint64_t steps = explore(
      rig_, [&] { restore(forked); }, [&] { ASSERT_TRUE(keep(kept.id)); },
      [&](bool finished, InFlight) {
        const Survey now = look();
        // As before, or as after: never the other side.
        if (now.decision.writable()) {
          ASSERT_GT(now.decision.winner->order(), kept.order());
          ASSERT_EQ(now.content->extents.size(), extents);
          return;
        }
        ASSERT_FALSE(finished);
        // What is there to keep leads to the same end.
        const auto commits = whole_commits(now);
        const auto found = std::ranges::find_if(commits, [&](const CommitName& c) {
          return c.id == kept.id || c.order() > kept.order();
        });
        ASSERT_NE(found, commits.end());
        ASSERT_TRUE(keep(found->id));
        ASSERT_TRUE(is_whole_and_settled());
        ASSERT_EQ(look().content->extents.size(), extents);
      });
  EXPECT_GE(steps, 30U);
}

TEST_F(Offline, Promise9_EveryStepOfAReleaseMayBeTheLast) {
  const CommitName last = *look().decision.winner;
  const std::uint64_t steps = explore(
      rig_, [&] { restore(healthy_); }, [&] { ASSERT_TRUE(release(rig_.spare, look())); },
      [&](bool finished, InFlight) {
        const auto now = survey(rig_.spare);
        if (!now) return;  // what is not even readable is said to be so
        ASSERT_FALSE(finished && now->has_set());
        ASSERT_TRUE(!now->decision.writable() || now->decision.winner == last);
        if (!now->has_set()) return;
        ASSERT_TRUE(release(rig_.spare, *now));
        ASSERT_FALSE(look().has_set());
      });
  EXPECT_GE(steps, 32U);
}

constexpr SectorCount kGrownSize{format::kMinSpareSize.value * 2};

TEST_F(Offline, GrowthIsOneCommitAndSaysNothingElse) {
  rig_.spare.grow(kGrownSize);
  const Survey before = look();
  const auto done = grow(rig_.spare, before, kGrownSize, rig_.random, rig_.clock);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->sequence, before.decision.winner->sequence + 1);
  EXPECT_EQ(done->term, before.decision.winner->term + 1);
  EXPECT_TRUE(is_whole_and_settled());
  format::Content now = *look().content;
  EXPECT_EQ(format::usable_spare_size(now), kGrownSize);
  ASSERT_EQ(now.health.later_events.size(), 1U);
  EXPECT_EQ(now.health.later_events.front().kind, format::EventKind::spare_grown);
  now.grown_spare.reset();
  now.health = before.content->health;
  EXPECT_EQ(now, *before.content);
}

TEST_F(Offline, GrowthLeavesAStopCleanAndACopyRecorded) {
  auto store = rig_.open();
  format::Content stopped = with_extents(rig_.content, 40, kFirstData);
  stopped.health.clean = true;
  stopped.health.main_print[0] = std::byte{7};
  stopped.copy = format::CopyRecord{(*store)->next_sequence(), 99, {3}};
  ASSERT_TRUE(commit(**store, stopped));
  store->reset();
  ASSERT_TRUE(look().content->copy);
  rig_.spare.grow(kGrownSize);
  ASSERT_TRUE(grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock));
  const format::Content now = *look().content;
  EXPECT_TRUE(now.health.clean);
  EXPECT_EQ(now.health.main_print, stopped.health.main_print);
  ASSERT_TRUE(now.copy);
  EXPECT_EQ(now.copy->left_out, SectorCount{3});
}

TEST_F(Offline, WhatLiesInTheNewRoomIsFoundAgain) {
  rig_.spare.grow(kGrownSize);
  ASSERT_TRUE(grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock));
  auto store = rig_.open();
  ASSERT_TRUE(store);
  format::Content content = *look().content;
  content = with_extents(content, 40, format::kMinSpareSize.value + 64);
  ASSERT_TRUE(commit(**store, content));
  EXPECT_EQ(look().content->extents, content.extents);
  // The size is no matter of a commit that has none.
  content.grown_spare.reset();
  const auto refused = commit(**store, content);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::internal);
  EXPECT_EQ((*store)->read_only_reason(), "");
}

// The new length of an image is durable before anything of the commit is written.
TEST_F(Offline, AGrowthFlushesTheSpareBeforeItsCommit) {
  rig_.spare.grow(kGrownSize);
  const Survey before = look();
  rig_.spare.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  const std::vector<std::byte> image = rig_.image();
  EXPECT_FALSE(grow(rig_.spare, before, kGrownSize, rig_.random, rig_.clock));
  rig_.spare.set_hook({});
  EXPECT_EQ(rig_.image(), image);
}

// What is left of it are signposts in the new room, which nobody has in use.
TEST_F(Offline, AGrowthWhoseCommitFailsChangesNothingThatIsInUse) {
  rig_.spare.grow(kGrownSize);
  const Survey before = look();
  const SectorRange signposts = format::signpost_area(format::kMinSpareSize, kGrownSize);
  const auto without_signposts = [&] {
    std::vector<std::byte> image = rig_.image();
    std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(signposts.first.byte_offset()),
                signposts.count.bytes(), std::byte{0});
    return image;
  };
  const std::vector<std::byte> image = without_signposts();
  for (const SectorRange& copy : format::reserved_ranges(format::kMinSpareSize)) {
    rig_.spare.fail_writes(copy, EIO);
  }
  const auto refused = grow(rig_.spare, before, kGrownSize, rig_.random, rig_.clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::metadata_commit);
  rig_.spare.clear_faults();
  EXPECT_EQ(without_signposts(), image);
  EXPECT_EQ(look().decision.winner, before.decision.winner);
  ASSERT_TRUE(grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock));
}

// It is an opening that says one thing more: the copies are not asked, nor the signposts written,
// once more than for that.
TEST_F(Offline, AGrowthIsNoMoreWorkThanAnOpening) {
  rig_.spare.grow(kGrownSize);
  const std::vector<std::byte> image = rig_.image();
  const SectorRange signposts = format::signpost_area(format::kMinSpareSize, kGrownSize);
  std::uint64_t reads = 0;
  std::uint64_t signpost_writes = 0;
  const auto count = [&] {
    reads = 0;
    rig_.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
      const bool is_signpost = signposts.overlaps(request.range);
      if (request.kind == sim::Request::Kind::read && !is_signpost) ++reads;
      if (request.kind == sim::Request::Kind::write && is_signpost) ++signpost_writes;
      return {};
    });
  };
  Survey now = look();
  count();
  ASSERT_TRUE(Store::activate(rig_.spare, now, *now.content, rig_.random, rig_.clock));
  const std::uint64_t reads_of_opening = reads;
  restore(image);
  now = look();
  count();
  ASSERT_TRUE(grow(rig_.spare, now, kGrownSize, rig_.random, rig_.clock));
  rig_.spare.set_hook({});
  EXPECT_EQ(reads, reads_of_opening);
  EXPECT_EQ(signpost_writes, format::kSlots);
}

TEST_F(Offline, ADoubtfulSetDoesNotGrow) {
  for (const unsigned copy : {0U, 1U, 2U, 5U}) rig_.damage(copy);
  const std::vector<std::byte> before = rig_.image();
  const auto refused = grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::metadata_doubtful);
  EXPECT_EQ(rig_.image(), before);
}

TEST_F(Offline, Promise9_EveryStepOfAGrowthMayBeTheLast) {
  rig_.spare.grow(kGrownSize);
  const SectorRange signposts = format::signpost_area(format::kMinSpareSize, kGrownSize);
  const std::vector<std::byte> blank(signposts.count.bytes());
  const std::uint64_t steps = explore(
      rig_,
      [&] {
        restore(healthy_);
        rig_.spare.poke(signposts.first, blank);
      },
      [&] { ASSERT_TRUE(grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock)); },
      [&](bool finished, InFlight) {
        const Survey now = look();
        ASSERT_TRUE(now.decision.writable()) << now.reason;
        ASSERT_EQ(now.content->extents.size(), 40U);
        const SectorCount size = format::usable_spare_size(*now.content);
        ASSERT_TRUE(size == kGrownSize || (size == format::kMinSpareSize && !finished));
        if (size == kGrownSize) return;
        ASSERT_TRUE(grow(rig_.spare, now, kGrownSize, rig_.random, rig_.clock));
        ASSERT_TRUE(is_whole_and_settled());
      });
  EXPECT_GE(steps, 10U);
}

}  // namespace
}  // namespace dmremap::metadata
