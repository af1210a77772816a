// SPDX-License-Identifier: GPL-2.0-or-later
// A simulated disk that goes wrong: frozen, unplugged, and by rule.
#include <algorithm>
#include <cerrno>
#include <functional>
#include <set>
#include <vector>

#include "sim/sim_disk_rig.hpp"

namespace dmremap::sim {
namespace {

TEST(SimDisk, FrozenItFailsAtOnceAndChangesNothing) {
  std::set<std::ptrdiff_t> landed;
  with_seeds([&](Rig& rig) {
    ASSERT_TRUE(rig.write(20, 1, 9).ok());
    io::IoStatus status{-1};
    Thread writer(rig.world, [&] { status = rig.write(0, 8, 1); });
    rig.world.sleep(microseconds(5));
    rig.disk.freeze();
    const auto now = rig.world.now();
    const auto before = fills(rig.disk.contents());
    EXPECT_EQ(rig.write(30, 1, 1).error, ENODEV);
    EXPECT_EQ(rig.read(30, 1).error, ENODEV);
    EXPECT_EQ(rig.disk.flush().error, ENODEV);
    EXPECT_EQ(rig.disk.write_zeroes({{20}, {1}}).error, ENODEV);
    EXPECT_EQ(rig.disk.discard({{20}, {1}}).error, ENODEV);
    EXPECT_EQ(rig.world.now(), now);
    writer.join();
    EXPECT_EQ(status.error, ENODEV);
    EXPECT_LT(rig.world.now() - now, microseconds(50));
    EXPECT_EQ(fills(rig.disk.contents()), before);
    landed.insert(std::ranges::count(before, 1));
    EXPECT_GT(rig.disk.unflushed_sectors(), 0U);  // the cache stays
    rig.disk.thaw();
    ASSERT_TRUE(rig.disk.flush().ok());
    rig.disk.power_cut(Keep::none);
    EXPECT_EQ(fills(rig.disk.contents()), before);
  });
  EXPECT_GT(landed.size(), 4U);
}

TEST(SimDisk, FreezesAtAnyStep) {
  for (std::uint64_t step = 1; step < 60; ++step) {
    Rig rig(step);
    rig.world.at_step(step, [&] { rig.disk.freeze(); });
    rig.world.run([&] {
      std::vector<Thread> threads;
      for (int t = 0; t < 3; ++t) {
        threads.emplace_back(rig.world, [&] {
          for (std::uint64_t i = 0; i < 10; ++i) {
            (void)rig.write(i * 4, 4, 1);
            if (i % 3 == 0) (void)rig.disk.flush();
          }
        });
      }
      for (Thread& thread : threads) thread.join();
    });
    EXPECT_TRUE(rig.disk.frozen());
    EXPECT_EQ(rig.disk.in_flight(), 0U);
  }
}

TEST(SimDisk, ReadErrorsFailWholeRequestsLate) {
  Rig rig(5);
  ASSERT_TRUE(rig.write(0, 8, 1).ok());
  const auto id = rig.disk.faults().add(
      {.kind = FaultKind::read_error, .range = {{5}, {1}}, .error = ENODATA, .delay = seconds(7)});
  const auto start = rig.world.now();
  EXPECT_EQ(rig.read(4, 2).error, ENODATA);
  EXPECT_EQ(fills(rig.buffer), (std::vector{0xE7, 0xE7}));
  EXPECT_GE(rig.world.now() - start, seconds(7));
  EXPECT_TRUE(rig.read(6, 2).ok());
  EXPECT_LT(rig.world.now() - start, seconds(8));
  EXPECT_TRUE(rig.write(5, 1, 2).ok());
  EXPECT_EQ(rig.read(5, 1).error, ENODATA);
  EXPECT_EQ(rig.fired(FaultKind::read_error), 2U);
  rig.disk.faults().remove(id);
  EXPECT_TRUE(rig.read(5, 1).ok());
  EXPECT_EQ(fills(rig.buffer), (std::vector{2}));
}

TEST(SimDisk, AFailingWriteMayHaveChangedSomeSectorsButNotTheBadOne) {
  std::set<std::ptrdiff_t> landed;
  std::uint64_t torn = 0;
  with_seeds([&](Rig& rig) {
    rig.disk.faults().add({.kind = FaultKind::write_error, .range = {{3}, {1}}, .error = EIO});
    EXPECT_EQ(rig.write(0, 8, 1).error, EIO);
    EXPECT_EQ(rig.disk.write_zeroes({{3}, {1}}).error, EIO);
    EXPECT_EQ(first_byte(rig.disk, 3), 0);
    EXPECT_TRUE(rig.write(4, 1, 2).ok());
    EXPECT_EQ(rig.fired(FaultKind::write_error), 2U);
    landed.insert(std::ranges::count(fills(rig.disk.contents()), 1));
    torn += rig.fired(FaultKind::torn_write);
  });
  EXPECT_TRUE(landed.contains(0));
  EXPECT_GT(landed.size(), 3U);
  EXPECT_GT(torn, kSeeds / 4);
}

TEST(SimDisk, ATornSectorMayBecomeUnreadable) {
  std::size_t unreadable = 0;
  with_seeds([&](Rig& rig) {
    rig.disk.policy().torn_unreadable = 0.5;
    rig.disk.faults().add({.kind = FaultKind::write_error, .range = {{3}, {1}}});
    EXPECT_EQ(rig.write(0, 8, 1).error, EIO);
    for (const Sector sector : rig.disk.spoiled()) {
      EXPECT_EQ(rig.read(sector.value, 1).error, ENODATA);
      EXPECT_TRUE(rig.write(sector.value, 1, 1).ok());
      EXPECT_TRUE(rig.read(sector.value, 1).ok());
      ++unreadable;
    }
  });
  EXPECT_GT(unreadable, kSeeds / 4);
}

TEST(SimDisk, ASpoiledSectorReadsOnceWrittenAndAgainNotWhenThatWriteIsLost) {
  Rig rig(6);
  ASSERT_TRUE(rig.write(5, 2, 1).ok());
  ASSERT_TRUE(rig.disk.flush().ok());
  rig.disk.spoil({{5}, {2}}, EILSEQ);
  EXPECT_EQ(rig.read(0, 8).error, EILSEQ);
  EXPECT_EQ(first_byte(rig.disk, 5), 1);  // pristine below
  ASSERT_TRUE(rig.write(5, 1, 3).ok());
  EXPECT_TRUE(rig.read(5, 1).ok());
  EXPECT_EQ(rig.read(5, 2).error, EILSEQ);
  rig.disk.power_cut(Keep::none);
  EXPECT_EQ(rig.read(5, 1).error, EILSEQ);
  ASSERT_TRUE(rig.write(5, 2, 3).ok());
  ASSERT_TRUE(rig.disk.flush().ok());
  rig.disk.power_cut(Keep::none);
  EXPECT_TRUE(rig.read(5, 2).ok());
  EXPECT_EQ(rig.fired(FaultKind::until_written), 3U);
  EXPECT_TRUE(rig.disk.spoiled().empty());
}

TEST(SimDisk, AFlakyRangeFailsNowAndThen) {
  Rig rig(7);
  rig.disk.faults().add({.kind = FaultKind::flaky,
                         .range = {{0}, {8}},
                         .error = EIO,
                         .probability = 0.3,
                         .writes = false});
  int failed = 0;
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(rig.write(0, 1, 1).ok());
    failed += rig.read(0, 1).ok() ? 0 : 1;
  }
  EXPECT_GT(failed, 30);
  EXPECT_LT(failed, 90);
  EXPECT_EQ(rig.fired(FaultKind::flaky), static_cast<std::uint64_t>(failed));
}

TEST(SimDisk, AHungRequestFailsAfterALongTime) {
  Rig rig(8);
  rig.disk.faults().add({.kind = FaultKind::hung,
                         .range = {{0}, {1}},
                         .error = ETIMEDOUT,
                         .shots = 1,
                         .delay = seconds(60)});
  EXPECT_EQ(rig.read(0, 1).error, ETIMEDOUT);
  EXPECT_GE(rig.world.now(), seconds(60));
  EXPECT_TRUE(rig.read(0, 1).ok());
  EXPECT_EQ(rig.fired(FaultKind::hung), 1U);
}

TEST(SimDisk, AFreezeEndsAHungRequest) {
  Rig rig(9);
  rig.disk.faults().add(
      {.kind = FaultKind::hung, .range = {{0}, {1}}, .delay = seconds(60), .flushes = true});
  rig.world.run([&] {
    Thread flusher(rig.world, [&] { EXPECT_EQ(rig.disk.flush().error, ENODEV); });
    Thread reader(rig.world, [&] { EXPECT_EQ(rig.read(0, 1).error, ENODEV); });
    rig.world.sleep(seconds(1));
    rig.disk.freeze();
    reader.join();
    flusher.join();
  });
  EXPECT_LT(rig.world.now(), seconds(2));
}

// The errors of one write that was acknowledged and lost: `lost_error` as in the rule.
void lose_one_write(int lost_error) {
  int lost = 0;
  with_seeds([&](Rig& rig) {
    ASSERT_TRUE(rig.write(0, 2, 1).ok());
    ASSERT_TRUE(rig.disk.flush().ok());
    rig.disk.faults().add({.kind = FaultKind::flush_error,
                           .range = {{0}, {1}},
                           .error = ENOSPC,
                           .shots = 1,
                           .lost_error = lost_error});
    ASSERT_TRUE(rig.write(0, 2, 2).ok());
    EXPECT_EQ(first_byte(rig.disk, 0), 2);
    const io::IoStatus flushed = rig.disk.flush();
    const bool gone = rig.read(0, 1).error != 0 || first_byte(rig.disk, 0) == 1 ||
                      rig.read(1, 1).error != 0 || first_byte(rig.disk, 1) == 1;
    EXPECT_EQ(flushed.error, gone ? ENOSPC : 0);
    if (!gone) return;
    ++lost;
    EXPECT_EQ(rig.fired(FaultKind::flush_error), 1U);
    EXPECT_EQ(rig.disk.spoiled().empty(), lost_error == 0);
    EXPECT_TRUE(rig.disk.flush().ok());  // one is told, once
  });
  EXPECT_GT(lost, 50);
}

TEST(SimDisk, AnErrorOnlyAtFlushIsToldOnceAndOldDataIsBack) {
  lose_one_write(0);
}

TEST(SimDisk, AnErrorOnlyAtFlushMayLeaveUnreadableSectors) {
  lose_one_write(EIO);
}

TEST(SimDisk, OfConcurrentFlushesOneIsToldOfALostWrite) {
  with_seeds([](Rig& rig) {
    rig.disk.faults().add({.kind = FaultKind::flush_error, .range = {{0}, {8}}, .shots = 1});
    ASSERT_TRUE(rig.write(0, 8, 2).ok());
    int told = 0;
    auto flush = [&] { told += rig.disk.flush().ok() ? 0 : 1; };
    Thread a(rig.world, flush);
    Thread b(rig.world, flush);
    a.join();
    b.join();
    EXPECT_EQ(told, 1);
  });
}

TEST(SimDisk, WhatAFailedFlushCoveredMayNeverBecomeDurable) {
  int forgotten = 0;
  int durable = 0;
  with_seeds([&](Rig& rig) {
    ASSERT_TRUE(rig.write(9, 1, 1).ok());
    rig.disk.faults().add({.kind = FaultKind::flush_error, .range = {{0}, {8}}, .shots = 1});
    ASSERT_TRUE(rig.write(0, 8, 2).ok());
    EXPECT_FALSE(rig.disk.flush().ok());
    EXPECT_TRUE(rig.disk.flush().ok());
    EXPECT_EQ(first_byte(rig.disk, 9), 1);
    rig.disk.power_cut(Keep::none);
    (first_byte(rig.disk, 9) == 1 ? durable : forgotten) += 1;
  });
  EXPECT_GT(forgotten, 10);
  EXPECT_GT(durable, 10);
}

TEST(SimDisk, GoneItFailsEverythingUntilItIsBack) {
  std::set<int> after;
  with_seeds([&](Rig& rig) {
    ASSERT_TRUE(rig.write(0, 1, 1).ok());
    io::IoStatus status{-1};
    Thread reader(rig.world, [&] { status = rig.read(1, 1); });
    rig.disk.unplug(EIO);
    EXPECT_FALSE(rig.disk.plugged());
    EXPECT_EQ(rig.write(2, 1, 1).error, EIO);
    EXPECT_EQ(rig.disk.flush().error, EIO);
    reader.join();
    EXPECT_EQ(status.error, EIO);
    EXPECT_GE(rig.fired(FaultKind::gone), 2U);
    const bool lost_cache = rig.world.seed() % 2 == 0;
    rig.disk.replug(lost_cache);
    EXPECT_TRUE(rig.read(0, 1).ok());
    EXPECT_EQ(first_byte(rig.disk, 2), 0);
    if (lost_cache) {
      after.insert(first_byte(rig.disk, 0));
    } else {
      EXPECT_EQ(first_byte(rig.disk, 0), 1);
    }
  });
  EXPECT_EQ(after, (std::set{0, 1}));
}

TEST(SimDisk, ADroppedWriteIsAcknowledgedAndChangesNothing) {
  Rig rig(10);
  rig.disk.faults().add({.kind = FaultKind::dropped_write, .range = {{0}, {8}}, .shots = 1});
  EXPECT_TRUE(rig.write(7, 2, 1).ok());
  EXPECT_EQ(first_byte(rig.disk, 7), 0);
  EXPECT_EQ(first_byte(rig.disk, 8), 0);
  EXPECT_TRUE(rig.write(7, 2, 1).ok());
  EXPECT_EQ(first_byte(rig.disk, 7), 1);
  EXPECT_EQ(rig.fired(FaultKind::dropped_write), 1U);
}

TEST(SimDisk, AMisdirectedWriteLandsInATargetAndIsAsDurable) {
  with_seeds([](Rig& rig) {
    rig.disk.faults().add({.kind = FaultKind::misdirected_write,
                           .range = {{0}, {8}},
                           .shots = 1,
                           .targets = {{{16}, {4}}, {{32}, {1}}}});
    EXPECT_TRUE(rig.write(0, 2, 1).ok());
    EXPECT_TRUE(rig.disk.flush().ok());
    rig.disk.power_cut(Keep::none);
    const std::vector<int> now = fills(rig.disk.contents());
    for (std::size_t i = 0; i < now.size(); ++i) {
      EXPECT_TRUE(now[i] == 0 || (i >= 16 && i < 20) || i == 32) << i;
    }
    EXPECT_EQ(std::ranges::count(now, 1), now[32] == 1 ? 1 : 2);
  });
}

TEST(SimDisk, AFlippedWriteIsWrongInOneBitOfTheRange) {
  with_seeds([](Rig& rig) {
    rig.disk.faults().add({.kind = FaultKind::flipped_write, .range = {{2}, {8}}, .shots = 1});
    EXPECT_TRUE(rig.write(0, 4, 0).ok());
    int bits = 0;
    for (std::size_t i = 0; i < rig.disk.contents().size(); ++i) {
      const auto byte = std::to_integer<unsigned>(rig.disk.contents()[i]);
      bits += __builtin_popcount(byte);
      EXPECT_TRUE(byte == 0 || (i >= 2 * kSectorBytes && i < 4 * kSectorBytes)) << i;
    }
    EXPECT_EQ(bits, 1);
  });
}

TEST(SimDisk, ZeroesAndDiscardsMayBeUnsupported) {
  Rig rig(11);
  rig.disk.policy().write_zeroes = false;
  rig.disk.policy().discard = false;
  EXPECT_EQ(rig.disk.write_zeroes({{0}, {1}}).error, EOPNOTSUPP);
  EXPECT_EQ(rig.disk.discard({{0}, {1}}).error, EOPNOTSUPP);
  EXPECT_EQ(rig.fired(FaultKind::unsupported), 2U);
}

TEST(SimDisk, RulesOfEveryKindAreListedAndQuietEndsThem) {
  Rig rig(12);
  for (const FaultKind kind : {FaultKind::read_error, FaultKind::write_error,
                               FaultKind::flush_error, FaultKind::slow, FaultKind::hung}) {
    rig.disk.faults().add({.kind = kind, .range = {{0}, {64}}, .delay = seconds(1)});
  }
  EXPECT_EQ(rig.disk.faults().rules().size(), 5U);
  EXPECT_FALSE(rig.write(0, 1, 1).ok());
  rig.disk.unplug(ENODEV);
  rig.disk.quiet();
  EXPECT_TRUE(rig.disk.faults().rules().empty());
  const auto start = rig.world.now();
  EXPECT_TRUE(rig.write(0, 1, 1).ok());
  EXPECT_TRUE(rig.read(0, 1).ok());
  EXPECT_TRUE(rig.disk.flush().ok());
  EXPECT_LT(rig.world.now() - start, milliseconds(1));
}

TEST(SimDisk, EveryFaultKindHasAName) {
  std::set<std::string_view> names;
  FaultCounts sum;
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    names.insert(name_of(kind));
    FaultCounts one;
    one.fired(kind, 2);
    sum += one;
    EXPECT_EQ(sum.of(kind), 2U);
  }
  EXPECT_EQ(names.size(), kFaultKinds);
  EXPECT_FALSE(names.contains("?"));
}

TEST(SimDisk, APokeIsDurable) {
  Rig rig(13);
  ASSERT_TRUE(rig.write(0, 2, 1).ok());
  rig.disk.spoil({{1}, {1}}, EIO);
  rig.disk.poke({0}, sectors(2, 2));
  rig.disk.power_cut(Keep::none);
  EXPECT_TRUE(rig.read(0, 2).ok());
  EXPECT_EQ(fills(rig.buffer), (std::vector{2, 2}));
}

// Bytes and trace of a busy disk with all its faults and an end at some step.
std::pair<std::uint64_t, std::vector<std::byte>> busy(std::uint64_t seed) {
  Rig rig(seed);
  for (const FaultKind kind : {FaultKind::flaky, FaultKind::slow, FaultKind::flush_error,
                               FaultKind::flipped_write, FaultKind::dropped_write}) {
    rig.disk.faults().add(
        {.kind = kind, .range = {{0}, {64}}, .probability = 0.1, .delay = milliseconds(1)});
  }
  rig.world.at_step(300, [&] { rig.disk.freeze(); });
  rig.world.run([&] {
    std::vector<Thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back(rig.world, [&, t] {
        Dice dice = rig.world.fork_dice();
        for (int i = 0; i < 30; ++i) {
          (void)rig.write(dice.below(56), 1 + dice.below(8), t + 1);
          if (dice.one_in(5)) (void)rig.disk.flush();
        }
      });
    }
    for (Thread& thread : threads) thread.join();
  });
  rig.disk.power_cut();
  return {rig.world.trace_hash(), {rig.disk.contents().begin(), rig.disk.contents().end()}};
}

TEST(SimDisk, ASeedReplaysExactly) {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto first = busy(seed);
    EXPECT_EQ(busy(seed), first);
    traces.insert(first.first);
  }
  EXPECT_EQ(traces.size(), 30U);
}

}  // namespace
}  // namespace dmremap::sim
