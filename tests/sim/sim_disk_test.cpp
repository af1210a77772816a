// SPDX-License-Identifier: GPL-2.0-or-later
// What a simulated disk does to requests, and to its cache when the power goes.
#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>
#include <vector>

#include "sim/sim_disk_rig.hpp"

namespace dmremap::sim {
namespace {

TEST(SimDisk, ReadsWhatWasWrittenInsideAndOutsideARun) {
  Rig rig(1);
  ASSERT_TRUE(rig.write(3, 2, 7).ok());
  rig.world.run([&] {
    ASSERT_TRUE(rig.read(2, 4).ok());
    EXPECT_EQ(fills(rig.buffer), (std::vector{0, 7, 7, 0}));
    ASSERT_TRUE(rig.disk.write_zeroes({{3}, {1}}).ok());
    ASSERT_TRUE(rig.disk.discard({{4}, {1}}).ok());
    ASSERT_TRUE(rig.read(2, 4).ok());
    EXPECT_EQ(fills(rig.buffer), (std::vector{0, 0, 0, 0}));
  });
}

TEST(SimDisk, KeepsToItsBlocks) {
  Rig rig(1, {{64}, 4096, 4096});
  EXPECT_EQ(rig.write(4, 8, 1).error, EINVAL);
  EXPECT_TRUE(rig.write(8, 8, 1).ok());
  EXPECT_EQ(rig.disk.requests(), 1U);
}

TEST(SimDisk, RequestsTakeTimeAndOverlap) {
  Rig rig(2);
  rig.disk.policy().slow_tail = 0;
  rig.world.run([&] {
    std::vector<Thread> threads;
    for (std::uint64_t i = 0; i < 20; ++i) {
      threads.emplace_back(rig.world, [&, i] { EXPECT_TRUE(rig.write(i, 1, 1).ok()); });
    }
    for (Thread& thread : threads) thread.join();
  });
  EXPECT_GE(rig.world.now(), microseconds(20));
  EXPECT_LT(rig.world.now(), microseconds(800));  // one after another: 2200 on average
}

TEST(SimDisk, SeveralRequestsAtOnceOverlap) {
  Rig rig(3);
  rig.disk.policy().slow_tail = 0;
  const auto data = sectors(2, 5);
  std::vector<io::WriteOp> writes;
  for (std::uint64_t i = 0; i < 20; ++i) writes.push_back({{i * 2}, data});
  writes.push_back({{64}, data});  // beyond the end
  rig.world.run([&] { rig.disk.write_many(writes); });
  EXPECT_LT(rig.world.now(), microseconds(300));
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_TRUE(writes[i].status.ok());
  EXPECT_EQ(writes[20].status.error, EINVAL);
  std::vector<std::byte> out = sectors(40, 0);
  std::vector<io::ReadOp> reads{{{0}, std::span(out).first(512)}, {{10}, std::span(out).last(512)}};
  rig.world.run([&] { rig.disk.read_many(reads); });
  EXPECT_TRUE(reads[0].status.ok());
  EXPECT_EQ(std::to_integer<int>(out.back()), 5);
}

TEST(SimDisk, AReaderMaySeeAWriteHalfDoneButNeverHalfASector) {
  int torn = 0;
  with_seeds([&](Rig& rig) {
    Thread writer(rig.world, [&] { EXPECT_TRUE(rig.write(0, 8, 1).ok()); });
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(rig.read(0, 8).ok());
      const std::vector<int> seen = fills(rig.buffer);
      EXPECT_EQ(std::ranges::count(seen, -1), 0);
      const auto ones = std::ranges::count(seen, 1);
      if (ones != 0 && ones != 8) ++torn;
    }
    writer.join();
    ASSERT_TRUE(rig.read(0, 8).ok());
    EXPECT_EQ(fills(rig.buffer), std::vector<int>(8, 1));
  });
  EXPECT_GT(torn, 5);
}

TEST(SimDisk, OverlappingWritesLandInAnyOrder) {
  std::set<int> last;
  with_seeds([&](Rig& rig) {
    Thread other(rig.world, [&] { EXPECT_TRUE(rig.write(0, 1, 1).ok()); });
    EXPECT_TRUE(rig.write(0, 1, 2).ok());
    other.join();
    last.insert(first_byte(rig.disk, 0));
  });
  EXPECT_EQ(last, (std::set{1, 2}));
}

TEST(SimDisk, APowerCutLeavesAnySubsetOfTheUnflushedAndAllOfTheFlushed) {
  std::set<std::vector<int>> seen;
  bool older_won = false;
  std::uint64_t lost = 0;
  std::uint64_t torn = 0;
  with_seeds(
      [&](Rig& rig) {
        ASSERT_TRUE(rig.write(0, 3, 1).ok());
        ASSERT_TRUE(rig.disk.flush().ok());
        EXPECT_EQ(rig.disk.unflushed_sectors(), 0U);
        ASSERT_TRUE(rig.write(0, 2, 2).ok());
        ASSERT_TRUE(rig.write(0, 2, 3).ok());
        EXPECT_EQ(first_byte(rig.disk, 0), 3);
        rig.disk.power_cut();
        EXPECT_EQ(rig.disk.unflushed_sectors(), 0U);
        const std::vector<int> now = fills(rig.disk.contents().first(3 * kSectorBytes));
        EXPECT_EQ(now[2], 1);
        older_won = older_won || now[0] == 2;
        seen.insert(now);
        lost += rig.fired(FaultKind::unflushed_lost);
        torn += rig.fired(FaultKind::torn_write);
      },
      5 * kSeeds);
  EXPECT_EQ(seen.size(), 9U);
  EXPECT_TRUE(older_won);
  EXPECT_GT(lost, 10U);
  EXPECT_GT(torn, 10U);
}

TEST(SimDisk, APowerCutKeepsAllOrNoneWhenAsked) {
  Rig rig(4);
  ASSERT_TRUE(rig.write(0, 4, 1).ok());
  rig.disk.power_cut(Keep::all);
  EXPECT_EQ(first_byte(rig.disk, 0), 1);
  ASSERT_TRUE(rig.write(0, 4, 2).ok());
  rig.disk.power_cut(Keep::none);
  EXPECT_EQ(first_byte(rig.disk, 3), 1);
}

TEST(SimDisk, WholeRequestsAreKeptOrLostAsOne) {
  std::set<int> seen;
  with_seeds([&](Rig& rig) {
    ASSERT_TRUE(rig.write(0, 8, 1).ok());
    rig.disk.power_cut(Keep::whole_requests);
    const std::vector<int> now = fills(rig.disk.contents().first(8 * kSectorBytes));
    EXPECT_EQ(std::ranges::count(now, now[0]), 8);
    seen.insert(now[0]);
  });
  EXPECT_EQ(seen, (std::set{0, 1}));
}

TEST(SimDisk, AFlushCoversOnlyWhatWasAnsweredBeforeIt) {
  int survived = 0;
  with_seeds([&](Rig& rig) {
    rig.disk.faults().add(
        {.kind = FaultKind::slow, .range = {{1}, {1}}, .delay = milliseconds(10)});
    Thread slow(rig.world, [&] { EXPECT_TRUE(rig.write(1, 1, 1).ok()); });
    ASSERT_TRUE(rig.write(0, 1, 1).ok());
    ASSERT_TRUE(rig.disk.flush().ok());
    rig.world.sleep(milliseconds(20));
    slow.join();
    rig.disk.power_cut(Keep::none);
    EXPECT_EQ(first_byte(rig.disk, 0), 1);
    survived += first_byte(rig.disk, 1);
  });
  EXPECT_LT(survived, 3);  // unless the slow one was there first
}

TEST(SimDisk, AWriteInFlightAtAPowerCutLandsInPartAndFails) {
  std::set<std::ptrdiff_t> landed;
  with_seeds([&](Rig& rig) {
    io::IoStatus status;
    Thread writer(rig.world, [&] { status = rig.write(0, 8, 1); });
    rig.world.sleep(microseconds(5));
    rig.disk.power_cut();
    EXPECT_EQ(rig.disk.in_flight(), 0U);
    writer.join();
    if (status.ok()) return;  // had not begun
    EXPECT_EQ(status.error, ENODEV);
    landed.insert(std::ranges::count(fills(rig.disk.contents()), 1));
    EXPECT_TRUE(rig.write(0, 1, 1).ok());
  });
  EXPECT_TRUE(landed.contains(0));
  EXPECT_TRUE(landed.contains(8));
  EXPECT_GT(landed.size(), 4U);
}

}  // namespace
}  // namespace dmremap::sim
