// SPDX-License-Identifier: GPL-2.0-or-later
#include "metadata/store.hpp"

#include <cerrno>
#include <random>

#include <gtest/gtest.h>

#include "format/seal.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::metadata {
namespace {

constexpr SectorCount kSize{65'536};

class FixedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return 1'000; }
  std::uint64_t monotonic_ns() override { return 1'000; }
};

// Reproducible, so that a failing cut can be replayed.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next_u64() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

format::Content first_content() {
  format::Content content;
  content.identity.name = "test";
  content.identity.set_uuid.bytes[0] = std::byte{1};
  content.identity.spare_uuid.bytes[0] = std::byte{2};
  content.identity.main.size = {1'000'000};
  content.identity.spare.size = kSize;
  return content;
}

format::Content with_extents(format::Content content, std::uint64_t count,
                             std::uint64_t first_spare = 20'000) {
  content.extents.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    content.extents.push_back(
        format::Extent(format::State::remapped, {{i * 16}, {8}}, {first_spare + i * 8}));
  }
  return content;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { EXPECT_TRUE(Store::create(spare_, first_content(), random_, clock_)); }

  Result<std::unique_ptr<Store>> open() {
    const auto found = survey(spare_);
    if (!found) return tl::unexpected(found.error());
    if (const auto error = refusal(*found, "spare")) return tl::unexpected(*error);
    return Store::activate(spare_, *found, *found->content, random_, clock_);
  }

  void damage(unsigned copy, unsigned slot, std::byte with = std::byte{0xff}) {
    const std::vector<std::byte> noise(format::kBlockBytes, with);
    spare_.poke(format::slot_sector(format::copy_positions(kSize), {copy, slot}), noise);
  }

  SeededRandom random_{7};
  FixedClock clock_;
  sim::SimDevice spare_{{kSize, 512, 4096}};
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
  const auto next = (*store)->commit(with_extents(first_content(), 1));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->sequence, 4U);
  EXPECT_EQ(next->term, 2U);
}

TEST_F(StoreTest, WhatWasCommittedIsWhatIsFound) {
  const format::Content content = with_extents(first_content(), 500);
  ASSERT_TRUE((*open())->commit(content));
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
    ASSERT_TRUE((*store)->commit(with_extents(first_content(), n)));
    if (n > 2) {
      ASSERT_LE(sectors * kSectorBytes, 8 * 16 * kKiB) << n << " extents";
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
  ASSERT_TRUE((*store)->commit(content));
  const std::vector<std::byte> before = spare_.contents();
  content.extents.push_back(format::Extent(format::State::lost, {{capacity * 16}, {8}}));
  const auto full = (*store)->commit(content);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::metadata_full);
  EXPECT_EQ(spare_.contents(), before);
  content.extents.pop_back();
  EXPECT_TRUE((*store)->commit(content));
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
  spare_.fail_writes({{9'216}, kSize - SectorCount{9'216}}, EIO);
  const auto missed = (*store)->commit(with_extents(first_content(), 1));
  ASSERT_FALSE(missed);
  EXPECT_EQ(missed.error().code, ErrorCode::metadata_commit);
  spare_.clear_faults();
  const auto after = (*store)->commit(with_extents(first_content(), 1));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::read_only);
}

TEST_F(StoreTest, AFailedFlushEndsWriting) {
  const auto store = open();
  ASSERT_TRUE(store);
  spare_.set_hook([](const sim::Request& request) {
    return request.kind == sim::Request::Kind::flush ? io::IoStatus{EIO} : io::kIoOk;
  });
  EXPECT_FALSE((*store)->commit(with_extents(first_content(), 1)));
  spare_.set_hook({});
  EXPECT_FALSE((*store)->read_only_reason().empty());
  EXPECT_FALSE((*store)->commit(with_extents(first_content(), 1)));
}

TEST_F(StoreTest, ADroppedWriteCostsACopyNotTheSet) {
  const auto store = open();
  ASSERT_TRUE(store);
  const std::vector<std::byte> before = spare_.contents();
  ASSERT_TRUE((*store)->commit(with_extents(first_content(), 1)));
  // Copy 3 loses what it acknowledged and returned.
  spare_.poke({4096}, std::span(before).subspan(4096 * 512, format::kCopySectors.bytes()));
  for (std::uint64_t n = 2; n < 12; ++n) {
    ASSERT_TRUE((*store)->commit(with_extents(first_content(), n)));
  }
  EXPECT_EQ((*store)->copies().good, 8U);
}

TEST_F(StoreTest, AForeignWriterIsNoticedAndWritingEnds) {
  const auto first = open();
  ASSERT_TRUE(first);
  const auto second = open();  // bypassed the lock
  ASSERT_TRUE(second);
  const auto commit = (*first)->commit(with_extents(first_content(), 1));
  ASSERT_FALSE(commit);
  EXPECT_FALSE((*first)->read_only_reason().empty());
  EXPECT_TRUE((*second)->commit(with_extents(first_content(), 1)));
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

// Promise 9 for the metadata: open and three commits, the power cut before every write and flush in
// turn, an arbitrary part of what was unflushed lost; what is found is never older than what was
// acknowledged, never newer than what was begun, never a mixture, and the set is writable.
TEST(Promise9, EveryStepOfOpenAndCommitMayBeTheLast) {
  constexpr SectorCount kSmallest = format::kMinSpareSize;
  format::Content content = first_content();
  content.identity.spare.size = kSmallest;
  FixedClock clock;
  for (std::uint64_t cut = 0;; ++cut) {
    bool was_cut = false;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      SeededRandom random(100 + seed);
      sim::SimDevice spare{{kSmallest, 512, 4096}};
      ASSERT_TRUE(Store::create(spare, content, random, clock));
      const std::uint64_t start = spare.steps();
      spare.set_hook([&](const sim::Request& request) {
        if (request.kind != sim::Request::Kind::read && request.step == start + cut) {
          throw sim::PowerCut{};
        }
        return io::kIoOk;
      });
      std::size_t acknowledged = 0;
      std::size_t begun = 0;
      try {
        const auto found = survey(spare);
        const auto store = Store::activate(spare, *found, *found->content, random, clock);
        ASSERT_TRUE(store);
        for (std::size_t n = 1; n <= 3; ++n) {
          begun = n;
          ASSERT_TRUE((*store)->commit(with_extents(content, n * 200, 24'000)));
          acknowledged = n;
        }
      } catch (const sim::PowerCut&) {
        was_cut = true;
      }
      spare.set_hook({});
      std::mt19937_64 coin(seed * 1'000 + cut);
      const std::uint64_t style = seed;  // lose all, keep all, lose any subset
      spare.power_cut([&](const sim::Request&, Sector) {
        return style == 1 || (style == 2 && (coin() & 1U) != 0);
      });
      const auto found = survey(spare);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->decision.standing, Standing::read_write)
          << "cut " << cut << " seed " << seed;
      const std::size_t extents = found->content->extents.size();
      EXPECT_EQ(extents % 200, 0U);
      EXPECT_GE(extents / 200, acknowledged) << "cut " << cut << " seed " << seed;
      EXPECT_LE(extents / 200, begun) << "cut " << cut << " seed " << seed;
      const auto again = Store::activate(spare, *found, *found->content, random, clock);
      EXPECT_TRUE(again);
    }
    if (!was_cut) {
      // Four commits of at least 8 bodies, 8 seals and 4 flushes: fewer means that no cut fired.
      EXPECT_GE(cut, 80U);
      break;
    }
  }
}

// A killed program loses nothing, but leaves its last writes in the drive's cache: the next opening
// may see a commit that a power cut would still undo. Killed at every step of an opening and a
// commit, then cut at every step of the next opening, all that was unflushed lost.
TEST(Promise9, APowerCutAfterAKillTakesNothingBackThatWasSeen) {
  format::Content content = first_content();
  content.identity.spare.size = format::kMinSpareSize;
  FixedClock clock;
  SeededRandom random(3);
  std::uint64_t cuts = 0;
  const auto run = [&](sim::SimDevice& spare, std::uint64_t steps, std::size_t to_commit) {
    const std::uint64_t last = spare.steps() + steps;
    spare.set_hook([last](const sim::Request& request) {
      if (request.kind != sim::Request::Kind::read && request.step >= last) throw sim::PowerCut{};
      return io::kIoOk;
    });
    std::size_t acknowledged = 0;
    try {
      const auto found = survey(spare);
      const auto store = Store::activate(spare, *found, *found->content, random, clock);
      EXPECT_TRUE(store);
      acknowledged = found->content->extents.size();
      EXPECT_TRUE((*store)->commit(with_extents(content, to_commit, 24'000)));
      acknowledged = to_commit;
    } catch (const sim::PowerCut&) {
      ++cuts;
    }
    return acknowledged;
  };
  for (std::uint64_t kill = 0; kill < 46; ++kill) {
    for (std::uint64_t cut = 0; cut < 24; ++cut) {
      sim::SimDevice spare{{format::kMinSpareSize, 512, 4096}};
      ASSERT_TRUE(Store::create(spare, content, random, clock));
      const std::size_t first = run(spare, kill, 10);
      const std::size_t acknowledged = std::max(first, run(spare, cut, 20));
      spare.set_hook({});
      spare.power_cut([](const sim::Request&, Sector) { return false; });
      const auto found = survey(spare);
      ASSERT_TRUE(found);
      ASSERT_EQ(found->decision.standing, Standing::read_write) << kill << " " << cut;
      ASSERT_GE(found->content->extents.size(), acknowledged) << kill << " " << cut;
    }
  }
  EXPECT_GT(cuts, 1'900U);
}

}  // namespace
}  // namespace dmremap::metadata
