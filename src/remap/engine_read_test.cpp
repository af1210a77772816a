// SPDX-License-Identifier: GPL-2.0-or-later
// What a read promises: what was last written, or an error (promises 1 and 2).
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

class EngineRead : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }

  // The first `times` reads that touch `range` fail.
  void fail_reads_of_main(SectorRange range, int times, int error = EIO) {
    auto left = std::make_shared<std::atomic<int>>(times);
    rig.main.set_hook([range, left, error](const sim::Request& request) -> io::IoStatus {
      if (request.kind != sim::Request::Kind::read || !request.range.overlaps(range)) return {0};
      return {left->fetch_sub(1) > 0 ? error : 0};
    });
  }

  Rig rig;
};

TEST_F(EngineRead, Promise1_ReadNeverReturnsAnUnwrittenSpareSector) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.table().remapped, 0U);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), -EIO);
}

TEST_F(EngineRead, Promise2_LostStaysLostAcrossRestart) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(rig.events.count(EventKind::lost), 1U);
  rig.restart();
  const std::uint64_t reads = rig.main.counters().reads;
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.read(60, 8), -EIO);
  EXPECT_EQ(rig.main.counters().reads, reads);  // main is not touched
}

TEST_F(EngineRead, ALossIsDurableBeforeTheErrorIsReturned) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  const std::uint64_t before = rig.store->current().sequence;
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.store->current().sequence, before + 1);
  rig.spare.power_cut([](const sim::Request&, Sector) { return false; });
  rig.restart();
  EXPECT_EQ(rig.table().lost, 8U);
}

TEST_F(EngineRead, Promise5_OneBadUnitOfAMegabyteLosesThatUnit) {
  rig.main.fail_reads({{3003}, {1}}, EIO);
  EXPECT_EQ(rig.read(2048, 2048), -EIO);
  EXPECT_EQ(rig.in_state(State::lost), (std::vector<SectorRange>{{{3003}, {1}}}));
  EXPECT_EQ(rig.read(2048, 955), 1);
  EXPECT_EQ(rig.read(3004, 1000), 1);
}

TEST_F(EngineRead, ASectorThatReadsOnTheSecondTryIsReturnedAndMovedToTheSpare) {
  fail_reads_of_main({{64}, {8}}, 1);
  EXPECT_EQ(rig.read(0, 256), 1);
  rig.main.set_hook({});
  // The second try, by physical block, read it: nothing is wrong enough to move it.
  EXPECT_EQ(rig.table().lost, 0U);

  fail_reads_of_main({{64}, {8}}, 2);
  EXPECT_EQ(rig.read(0, 256), 1);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{64}, {8}}}));
  EXPECT_EQ(rig.events.count(EventKind::recovered), 1U);
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(0, 256), 1);
}

TEST_F(EngineRead, ALostBlockOf4KiBIsHealedSectorBySector) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  for (std::uint64_t s = 64; s < 72; ++s) {
    EXPECT_EQ(rig.read(s), -EIO);
    EXPECT_EQ(rig.write(s, 1, 4), 0);
    EXPECT_EQ(rig.read(s), 4);
  }
  EXPECT_EQ(rig.read(64, 8), 4);
  EXPECT_EQ(rig.table().lost, 0U);
}

TEST_F(EngineRead, Promise1_ARemappedSectorThatDoesNotReadIsAnErrorAndMainIsNeverAsked) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.main.clear_faults();
  const SectorRange bad = rig.spare_of(67);
  rig.spare.fail_reads(bad, EIO);
  const std::uint64_t reads = rig.main.counters().reads;
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.read(67), -EIO);
  EXPECT_EQ(rig.read(64, 3), 2);
  EXPECT_EQ(rig.main.counters().reads, reads);
  rig.restart();
  EXPECT_EQ(rig.read(67), -EIO);
  EXPECT_EQ(rig.read(64, 3), 2);
  EXPECT_LE(rig.main.counters().reads, reads + 8);  // the probe units of the restart
  EXPECT_EQ(rig.write(67, 1, 5), 0);
  EXPECT_EQ(rig.read(67), 5);
  EXPECT_NE(rig.spare_of(67), bad);
}

TEST_F(EngineRead, ASpareThatVanishesLosesNothing) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.spare.fail_reads({{0}, kSpareSize}, ENODEV);
  EXPECT_NE(rig.read(64, 8), 2);
  rig.spare.clear_faults();
  // EIO everywhere is no better: a probe of the spare says so.
  rig.spare.fail_reads({{0}, kSpareSize}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  rig.spare.clear_faults();
  EXPECT_EQ(rig.table().gone, 0U);
  EXPECT_EQ(rig.read(64, 8), 2);
}

TEST_F(EngineRead, AWriteDuringARecoveryIsNotHiddenByIt) {
  // The read fails; while it is being settled a write to the same sector succeeds on main (which
  // makes it readable again, as real disks do). The acknowledged write must be what is read.
  std::atomic<int> reads{0};
  std::atomic<bool> written{false};
  std::thread writer;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (!request.range.overlaps({{64}, {8}})) return {0};
    if (request.kind == sim::Request::Kind::write) {
      written = true;
      return {0};
    }
    if (request.kind != sim::Request::Kind::read) return {0};
    if (++reads == 1) {
      writer = std::thread([&] { EXPECT_EQ(rig.write(64, 8, 7), 0); });
      while (!written) std::this_thread::yield();
      writer.join();
      return {EIO};  // the outcome of a read that the medium answered before the write
    }
    return {0};
  });
  const int seen = rig.read(64, 8);
  EXPECT_TRUE(seen == 7 || seen == 1 || seen == -EIO) << seen;
  rig.main.set_hook({});
  EXPECT_EQ(rig.read(64, 8), 7);
  EXPECT_EQ(rig.table().lost, 0U);
}

// A bad sector may take a minute to fail: no write waits for that, and none is hidden by what the
// failed reads said.
TEST_F(EngineRead, AWriteWhileABlockIsReadAgainIsNeitherHeldOffNorHidden) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  std::atomic<int> reads{0};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::read && request.range == SectorRange{{64}, {1}} &&
        ++reads == 1) {
      EXPECT_EQ(rig.write(66, 2, 7), 0);  // the block is being asked again, unit by unit
    }
    return {0};
  });
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_GT(reads, 0);
  rig.main.set_hook({});
  EXPECT_EQ(rig.table().lost, 0U);  // a write came: nothing may be concluded
  rig.main.clear_faults();
  EXPECT_EQ(rig.read(66, 2), 7);
}

TEST_F(EngineRead, AReadOfABlockThatIsReadAgainWaitsInsteadOfAskingTheDriveAsWell) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  std::atomic<int> of_the_block{0};
  std::thread other;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::read || !request.range.overlaps({{64}, {8}})) return {};
    if (request.range == SectorRange{{64}, {1}}) {
      other = std::thread([&] { EXPECT_EQ(rig.read(64, 8), -EIO); });
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    of_the_block += request.range.count.value == 8 ? 1 : 0;
    return {0};
  });
  EXPECT_EQ(rig.read(64, 8), -EIO);
  other.join();
  EXPECT_EQ(of_the_block, 2);  // the request, and the first retry
  EXPECT_EQ(rig.table().lost, 8U);
}

TEST_F(EngineRead, ABurstOfMediaErrorsNeverTrips) {
  rig.main.fail_reads({{0}, {4096}}, ENODATA);
  for (std::uint64_t at = 0; at < 4096; at += 64) EXPECT_EQ(rig.read(at, 8), -ENODATA);
  EXPECT_FALSE(rig.engine->conditions().tripped);
  EXPECT_EQ(rig.table().lost, 64U * 8);
}

TEST_F(EngineRead, ReadOnlyServesAndWritesNothingAnywhere) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.stop();
  const std::uint64_t main_steps = rig.main.steps();
  const std::uint64_t spare_steps = rig.spare.steps();
  rig.start_read_only();
  rig.main.fail_reads({{128}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.read(128, 8), -EIO);
  EXPECT_EQ(rig.table().lost, 0U);
  EXPECT_EQ(rig.write(0, 8, 2), EROFS);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_TRUE(rig.engine->conditions().read_only);
  rig.stop();
  EXPECT_EQ(rig.main.steps(), main_steps);
  EXPECT_EQ(rig.spare.steps(), spare_steps);
}

class StepClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return 1; }
  std::uint64_t monotonic_ns() override { return now; }
  std::atomic<std::uint64_t> now{1};
};

TEST(EngineDeadline, AWriteThatRunsOutOfTimeGoesToTheSpareWhole) {
  StepClock clock;
  Rig rig;
  rig.clock = &clock;
  rig.start();
  rig.main.fail_writes({{64}, {64}}, EIO);
  rig.main.set_hook([&clock](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::write && request.range.overlaps({{64}, {64}})) {
      clock.now += 7'000'000'000;
    }
    return {0};
  });
  const std::uint64_t begun = clock.now;
  EXPECT_EQ(rig.write(0, 2048, 3), 0);
  // The deadline counts from the request's start, and no try is begun that may end after it.
  EXPECT_LE(clock.now - begun,
            std::uint64_t{rig.content.configuration.request_deadline_ms} * 1'000'000);
  EXPECT_EQ(rig.read(0, 2048), 3);
}

TEST(EngineDeadline, AReadThatIsOutOfTimeWhenItFailsIsAnsweredAtOnce) {
  StepClock clock;
  Rig rig;
  rig.clock = &clock;
  rig.start();
  rig.main.fail_reads({{64}, {8}}, EIO);
  rig.main.set_hook([&clock](const sim::Request& request) -> io::IoStatus {
    const bool bad =
        request.kind == sim::Request::Kind::read && request.range.overlaps({{64}, {8}});
    if (bad && request.range.count.value > 8) clock.now += 31'000'000'000;
    return {0};
  });
  EXPECT_EQ(rig.read(0, 256), -ETIMEDOUT);
  // What is bad is found out all the same, or it would cost the next one as much.
  EXPECT_TRUE(soon([&] { return rig.table().lost > 0; }));
  EXPECT_EQ(rig.in_state(State::lost), (std::vector<SectorRange>{{{64}, {8}}}));
  EXPECT_EQ(rig.read(0, 256), -EIO);
}

}  // namespace
}  // namespace dmremap::remap
