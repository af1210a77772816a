// SPDX-License-Identifier: GPL-2.0-or-later
// What is counted against the disk, and what is not because the disk is not the cause.
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

class EngineTrouble : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  // So many reads of 104+8 fail, and the later ones do not.
  void fail_reads_of_main(int count) {
    rig.main.set_hook([count, reads = 0](const sim::Request& request) mutable -> io::IoStatus {
      const bool there = request.range.overlaps({{104}, {8}});
      return {request.kind == sim::Request::Kind::read && there && ++reads <= count ? EIO : 0};
    });
  }
  [[nodiscard]] TroubleCounts trouble() { return rig.engine->trouble(); }

  Rig rig;
};

TEST_F(EngineTrouble, WhatMainDoesNotReadIsLostOnce) {
  rig.main.fail_reads({{64}, {3}}, EIO);
  for (int again = 0; again < 3; ++again) EXPECT_EQ(rig.read(64), -EIO);
  EXPECT_EQ(rig.read(66), -EIO);
  EXPECT_EQ(trouble().lost, rig.table().lost);
  EXPECT_EQ(trouble().lost, 2U);
  EXPECT_EQ(trouble().remapped, 0U);
}

TEST_F(EngineTrouble, WhatMainDoesNotWriteIsRemapped) {
  rig.main.fail_writes({{80}, {8}}, EIO);
  EXPECT_EQ(rig.write(80, 8, 2), 0);
  EXPECT_EQ(rig.write(80, 8, 3), 0) << "it is there already";
  EXPECT_EQ(trouble(), (TroubleCounts{.remapped = 8}));
}

TEST_F(EngineTrouble, WhatReadsAtTheSecondTryIsARecoveredRead) {
  fail_reads_of_main(1);
  EXPECT_EQ(rig.read(64, 256), 1);
  EXPECT_EQ(trouble(), (TroubleCounts{.recovered = 1}));
  rig.main.set_hook({});
  EXPECT_EQ(rig.read(64, 256), 1);
  EXPECT_EQ(trouble().recovered, 1U);
}

TEST_F(EngineTrouble, WhatReadsAtTheThirdTryIsRemappedToo) {
  fail_reads_of_main(2);
  EXPECT_EQ(rig.read(64, 256), 1);
  EXPECT_EQ(rig.table().remapped, 8U);
  EXPECT_EQ(trouble(), (TroubleCounts{.remapped = 8, .recovered = 1}));
}

TEST_F(EngineTrouble, AFlushThatFailsCountsAndWhatIsGoneIsLost) {
  EXPECT_EQ(rig.write(100, 8, 3), 0);
  rig.main.fail_reads({{102}, {1}}, EIO);
  rig.main.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(rig.engine->flush().error, EIO);
  EXPECT_EQ(trouble(), (TroubleCounts{.lost = 1, .flush_errors = 1}));
}

TEST_F(EngineTrouble, AMainThatIsAwayIsATripAndNothingElse) {
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_NE(rig.write(0, 8, 2), 0);
  EXPECT_LT(rig.read(64, 8), 0);
  EXPECT_NE(rig.engine->flush().error, 0);
  EXPECT_EQ(trouble(), (TroubleCounts{.trips = 1}));
}

TEST_F(EngineTrouble, WhatAUserOrAListAsksForIsNotTheDisksDoing) {
  ASSERT_TRUE(rig.engine->relocate({{96}, {64}}));
  ASSERT_TRUE(rig.engine->mark_known_bad({{{{2048}, {8}}}, {{{4096}, {8}}}}, false));
  EXPECT_EQ(rig.table().remapped, 64U);
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(trouble(), TroubleCounts{});
}

TEST_F(EngineTrouble, WhatMovesBecauseMainTakesNoWritesAtAllIsNotCounted) {
  rig.main.fail_writes({{0}, kMainSize}, EROFS);
  EXPECT_EQ(rig.write(80, 8, 2), 0);
  EXPECT_GT(rig.table().remapped, 0U);
  EXPECT_EQ(trouble(), TroubleCounts{});
}

TEST_F(EngineTrouble, WhatACommitDidNotRecordIsNotCounted) {
  rig.main.fail_writes({{80}, {8}}, EIO);
  rig.spare.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::write ? EIO : 0};
  });
  EXPECT_NE(rig.write(80, 8, 2), 0);
  EXPECT_EQ(trouble().remapped, 0U);
}

}  // namespace
}  // namespace dmremap::remap
