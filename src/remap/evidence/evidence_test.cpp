// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/evidence/evidence.hpp"

#include <cerrno>
#include <random>

#include <gtest/gtest.h>

#include "base/aligned_buffer.hpp"
#include "remap/engine_memory.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::remap {
namespace {

constexpr SectorCount kSize{32UL * 2'048UL};

BlockHash block(std::uint64_t first, std::uint64_t hash = 1) {
  return {{{first}, {8}}, hash};
}

class Evidence : public ::testing::Test {
 protected:
  explicit Evidence(std::vector<BlockHash> known = {})
      : memory_(EngineMemory::bytes_for(kSize)),
        parts_(EngineMemory::of(memory_.span(), kSize)),
        pins(system_scheduling(), parts_.pins),
        unflushed(kSize, parts_.unflushed),
        evidence(kSize, pins, unflushed, parts_.evidence, known, true, system_scheduling()) {}

  // Sampled, with nothing in between.
  bool sample(std::uint64_t first, bool recent = true) {
    return evidence.begin({{first}, {8}}) && evidence.publish(1, recent);
  }
  [[nodiscard]] std::vector<BlockHash> left() const {
    return evidence_after_kill(memory_.span(), kSize);
  }
  void flush() {
    evidence.begin_flush();
    evidence.end_flush();
  }

  AlignedBuffer memory_;
  EngineMemory parts_;
  table::Pins pins;
  table::UnflushedWrites unflushed;
  ContentEvidence evidence;
};

TEST_F(Evidence, HoldsUntilItsRegionIsWritten) {
  EXPECT_TRUE(sample(0));
  EXPECT_TRUE(sample(2'048));
  unflushed.add({{100}, {8}});
  EXPECT_EQ(evidence.valid(), (std::vector<BlockHash>{block(2'048)}));
  EXPECT_EQ(left(), evidence.valid());
  EXPECT_FALSE(sample(8)) << "not durable yet";
  flush();
  EXPECT_EQ(evidence.valid(), (std::vector<BlockHash>{block(2'048)}));
  EXPECT_TRUE(sample(8));
}

TEST_F(Evidence, AFlushThatIsNotDoneCoversItsRegions) {
  unflushed.add({{100}, {8}});
  evidence.begin_flush();
  EXPECT_TRUE(evidence.any_unflushed());
  EXPECT_FALSE(sample(0));
  EXPECT_TRUE(sample(2'048));
  evidence.cancel_flush();
  EXPECT_TRUE(unflushed.any());
  EXPECT_FALSE(unflushed.covered().any());
  EXPECT_FALSE(sample(0));
}

TEST_F(Evidence, AWriteAndAFlushDuringTheReadAreNoticed) {
  ASSERT_TRUE(evidence.begin({{0}, {8}}));
  unflushed.add({{4}, {1}});
  flush();
  EXPECT_FALSE(evidence.publish(1, true));
  ASSERT_TRUE(evidence.begin({{0}, {8}}));
  unflushed.add({{2'048}, {1}});
  flush();
  EXPECT_TRUE(evidence.publish(1, true)) << "elsewhere";
}

TEST_F(Evidence, ARequestInFlightVoidsForAsLongAsItIsThere) {
  ASSERT_TRUE(evidence.begin({{0}, {8}}));
  {
    const table::Pins::Pin pin = pins.pin({{7}, {1}});
    EXPECT_FALSE(evidence.publish(1, true));
  }
  EXPECT_TRUE(sample(0));
  const table::Pins::Pin pin = pins.pin({{0}, {0x2000000}});  // longer than a slot can say
  EXPECT_TRUE(evidence.valid().empty());
  EXPECT_TRUE(left().empty());
}

TEST_F(Evidence, WhatIsVoidedIsNotTakenUpBeforeAFlush) {
  EXPECT_TRUE(sample(0));
  EXPECT_TRUE(sample(8));
  evidence.void_range({{0}, {1}});
  EXPECT_EQ(evidence.valid(), (std::vector<BlockHash>{block(8)})) << "exactly what it overlaps";
  EXPECT_FALSE(sample(0));
  evidence.begin_flush();
  EXPECT_FALSE(sample(0));
  evidence.end_flush();
  EXPECT_TRUE(sample(0));
}

TEST_F(Evidence, AFailedFlushEndsItForWhatWasNotDurable) {
  unflushed.add({{0}, {8}});
  evidence.void_range({{4'096}, {8}});
  const table::Pins::Pin pin = pins.pin({{8'192}, {8}});
  evidence.begin_flush();
  evidence.flush_failed();
  evidence.abandon_flush();
  EXPECT_FALSE(unflushed.covered().any());
  flush();
  EXPECT_FALSE(sample(0));
  EXPECT_FALSE(sample(4'096));
  EXPECT_FALSE(sample(8'200)) << "a write that was in flight";
  EXPECT_TRUE(sample(2'048));
}

TEST_F(Evidence, NewOnesReplaceTheOldestThatMayGo) {
  for (std::uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(sample(i * 8, false));
  for (std::uint64_t i = 10; i < 100; ++i) ASSERT_TRUE(sample(i * 8, true));
  const auto valid = evidence.valid();
  ASSERT_LE(valid.size(), kMostEvidence);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(evidence.has({{i * 8}, {8}}));
  EXPECT_TRUE(evidence.has({{99UL * 8UL}, {8}}));
  EXPECT_TRUE(evidence.has({{98UL * 8UL}, {8}}));
  EXPECT_FALSE(evidence.has({{10UL * 8UL}, {8}}));
  EXPECT_EQ(left().size(), valid.size());
}

TEST_F(Evidence, WhereWritesBeganIsKnownOnceTheyAreDurable) {
  unflushed.add({{100}, {8}});
  unflushed.add({{200}, {8}});  // the region is dirty already: nobody looks
  unflushed.add({{4'090}, {8}});
  EXPECT_TRUE(evidence.take_recent().empty());
  flush();
  EXPECT_EQ(evidence.take_recent(), (std::vector<Sector>{{100}, {4'090}, {4'096}}));
  EXPECT_TRUE(evidence.take_recent().empty());
}

TEST(EvidenceComparison, SaysWhatDiffersAndCountsWhatReads) {
  sim::SimDevice device({kSize, 512, 4096});
  device.poke({0}, std::vector<std::byte>(4096, std::byte{1}));
  const std::uint64_t ones = hash_of(std::vector<std::byte>(4096, std::byte{1}));
  const std::uint64_t zeros = hash_of(std::vector<std::byte>(4096));
  EXPECT_TRUE(compare_evidence(device, std::vector{block(0, ones), block(8, zeros)}).agrees());
  const auto found = compare_evidence(device, std::vector{block(0, ones), block(8, ones)});
  EXPECT_EQ(found.mismatch, (SectorRange{{8}, {8}}));
  EXPECT_FALSE(found.agrees());
  device.fail_reads({{0}, {1}}, EIO);
  EXPECT_EQ(compare_evidence(device, std::vector{block(0, ones)}).compared, 0U);
  EXPECT_FALSE(compare_evidence(device, std::vector{block(0, ones)}).agrees());
  const std::vector<BlockHash> odd{{{{kSize.value}, {8}}, 1},
                                   {{{0}, {0}}, 1},
                                   {{{~std::uint64_t{0} - 7}, {16}}, 1},
                                   {{{0}, {std::uint64_t{1} << 60U}}, 1}};
  EXPECT_EQ(compare_evidence(device, odd).compared, 0U);
}

TEST(EvidenceAfterKill, AnyBytesAreAnAnswer) {
  std::mt19937_64 random(1);
  AlignedBuffer memory(EngineMemory::bytes_for(kSize));
  for (int round = 0; round < 2'000; ++round) {
    for (std::byte& byte : memory.span()) {
      byte = random() % 8 == 0 ? static_cast<std::byte>(random()) : std::byte{};
    }
    EXPECT_TRUE(evidence_after_kill(memory.span(), kSize).empty());
  }
  EXPECT_TRUE(evidence_after_kill(memory.span().first(100), kSize).empty());
  EXPECT_TRUE(evidence_after_kill({}, kSize).empty());
}

// Any bit of an entry that is not as it was written makes it none.
TEST_F(Evidence, ATornEntryIsNone) {
  ASSERT_TRUE(sample(0));
  for (std::size_t bit = 0; bit < 32UL * 8UL; ++bit) {
    std::byte& byte = parts_.evidence[bit / 8];
    byte ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(left().empty()) << bit;
    byte ^= std::byte{1} << (bit % 8);
  }
  EXPECT_EQ(left().size(), 1U);
}

}  // namespace
}  // namespace dmremap::remap
