// SPDX-License-Identifier: GPL-2.0-or-later
// Metadata that is damaged under a running engine: found, mended and told, and never mended over
// what another writer put there.
#include <algorithm>
#include <cerrno>

#include "format/seal.hpp"
#include "metadata/offline.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

class MetadataCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.start();
    rig.main.fail_writes({{64}, {8}}, EIO);
    ASSERT_EQ(rig.write(64, 8, 2), 0);
  }
  [[nodiscard]] Sector slot(unsigned copy, unsigned column) const {
    return format::slot_sector(format::copy_positions(kSpareSize), {copy, column});
  }
  void zero(unsigned copy, unsigned column) { rig.spare.poke(slot(copy, column), pattern(8, 0)); }
  // Damaged slots, or -1.
  int check_all() {
    unsigned damaged = 0;
    for (unsigned copy = 0; copy < format::kCopies; ++copy) {
      const auto found = rig.engine->check_metadata(copy);
      if (!found) return -1;
      damaged += *found;
    }
    return static_cast<int>(damaged);
  }
  [[nodiscard]] std::size_t damaged_now() {
    const auto found = metadata::survey(rig.spare);
    return found ? metadata::damaged_slots(*found).size() : 99;
  }
  [[nodiscard]] std::vector<std::string> told() {
    std::vector<std::string> out;
    for (const format::Event& event : rig.events.of(format::EventKind::repair)) {
      out.push_back(event.text);
    }
    return out;
  }

  Rig rig;
};

TEST_F(MetadataCheckTest, SoundCopiesCostNoCommit) {
  EXPECT_EQ(check_all(), 0);
  const auto before = rig.store->current();
  EXPECT_EQ(rig.engine->mend_metadata().value_or(99), 0U);
  EXPECT_EQ(rig.store->current(), before);
  EXPECT_TRUE(told().empty());
}

TEST_F(MetadataCheckTest, DamagedSlotsAreMendedAndToldWhileItRuns) {
  zero(0, 0);
  zero(0, 1);
  zero(5, 1);
  rig.spare.spoil({slot(7, 0), {16}}, EIO);
  EXPECT_EQ(damaged_now(), 4U);
  EXPECT_EQ(check_all(), 4);
  EXPECT_EQ(rig.engine->mend_metadata().value_or(99), 4U);
  EXPECT_EQ(damaged_now(), 0U);
  EXPECT_EQ(check_all(), 0);
  EXPECT_EQ(told(), std::vector<std::string>{"metadata slots mended: 4"});
  EXPECT_EQ(rig.store->copies().good, 8U);
  EXPECT_EQ(rig.read(64, 8), 2);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
}

TEST_F(MetadataCheckTest, WhatCannotBeMendedIsToldAndTheRestIs) {
  const SectorRange dead{slot(3, 0), format::kSlotSectors};
  rig.spare.spoil(dead, EIO);
  rig.spare.fail_writes(dead, EIO);
  zero(6, 1);
  EXPECT_EQ(check_all(), 2);
  EXPECT_EQ(rig.engine->mend_metadata().value_or(99), 1U);
  EXPECT_EQ(told(), (std::vector<std::string>{"metadata slots mended: 1",
                                              "metadata slots that are damaged and cannot be "
                                              "mended: 1"}));
  EXPECT_FALSE(rig.engine->conditions().read_only);
}

TEST_F(MetadataCheckTest, AnotherWritersCommitEndsAllWriting) {
  zero(0, 1);
  // The seal of a later commit than any of ours.
  std::vector<std::byte> block(format::kBlockBytes);
  ASSERT_TRUE(rig.spare.read(slot(2, 0), block).ok());
  format::Seal seal = format::unpack_seal(block).seal;
  seal.sequence += 10;
  seal.term += 1;
  seal.commit.bytes[0] ^= std::byte{1};
  format::pack_seal(seal, block);
  rig.spare.poke(slot(2, 0), block);
  const std::vector<std::byte> before = rig.spare.contents();
  EXPECT_EQ(check_all(), -1);
  EXPECT_TRUE(rig.engine->conditions().read_only);
  EXPECT_FALSE(rig.engine->mend_metadata());
  EXPECT_EQ(rig.spare.contents(), before);
  EXPECT_TRUE(told().empty());
}

TEST_F(MetadataCheckTest, ASpareThatIsAwayIsNoDamage) {
  rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_EQ(check_all(), -1);
  EXPECT_FALSE(rig.engine->conditions().read_only);
  rig.spare.set_hook({});
  EXPECT_EQ(check_all(), 0);
}

TEST_F(MetadataCheckTest, UsersWriteMeanwhile) {
  for (std::uint64_t round = 0; round < 20; ++round) {
    const unsigned copy = static_cast<unsigned>(round % format::kCopies);
    zero(copy, static_cast<unsigned>(round / 2 % 2));
    EXPECT_EQ(check_all(), 1);
    rig.main.fail_writes({{1024 + round * 8}, {8}}, EIO);
    EXPECT_EQ(rig.write(1024 + round * 8, 8, 7), 0);
    EXPECT_LE(rig.engine->mend_metadata().value_or(99), 1U);
    EXPECT_EQ(damaged_now(), 0U);
  }
  rig.restart();
  for (std::uint64_t round = 0; round < 20; ++round) EXPECT_EQ(rig.read(1024 + round * 8, 8), 7);
}

TEST_F(MetadataCheckTest, AReadOnlySetIsNotLookedAt) {
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(rig.engine->check_metadata(0).error().code, ErrorCode::read_only);
  EXPECT_EQ(rig.engine->mend_metadata().error().code, ErrorCode::read_only);
}

}  // namespace
}  // namespace dmremap::remap
