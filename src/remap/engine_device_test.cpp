// SPDX-License-Identifier: GPL-2.0-or-later
// Devices that vanish (promise 6), flushes, zeroes, discards, relocation.
#include <thread>
#include <utility>

#include "remap/device/breaker.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

class EngineDevice : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }

  void unplug(int error) {
    rig.main.set_hook([error](const sim::Request&) -> io::IoStatus { return {error}; });
  }
  void replug() { rig.main.set_hook({}); }

  Rig rig;
};

TEST_F(EngineDevice, Promise6_UnpluggedMainTripsAndRemapsNothing) {
  unplug(ENODEV);
  const std::uint64_t sequence = rig.store->current().sequence;
  for (std::uint64_t at = 0; at < 800; at += 8) EXPECT_NE(rig.write(at, 8, 2), 0);
  for (std::uint64_t at = 0; at < 800; at += 8) EXPECT_LT(rig.read(at, 8), 0);
  EXPECT_TRUE(rig.engine->conditions().tripped);
  EXPECT_NE(rig.engine->conditions().reason.find("ENODEV"), std::string::npos);
  EXPECT_EQ(rig.events.count(EventKind::trip), 1U);
  EXPECT_TRUE(rig.engine->extents().empty());
  EXPECT_EQ(rig.store->current().sequence, sequence);
}

TEST_F(EngineDevice, Promise6_ADeviceThatSaysEioToEverythingTripsToo) {
  unplug(EIO);
  EXPECT_NE(rig.write(0, 2048, 2), 0);
  EXPECT_LT(rig.read(8000, 8), 0);
  EXPECT_TRUE(rig.engine->conditions().tripped);
  EXPECT_TRUE(rig.engine->extents().empty());
}

TEST_F(EngineDevice, Promise6_ACableThatIsPulledWhileNarrowingRemapsNothing) {
  std::atomic<int> writes{0};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::write && ++writes == 1) return {EIO};
    // The first write fails alone and the probe reads; then everything fails.
    return {writes > 3 ? EIO : 0};
  });
  EXPECT_NE(rig.write(0, 2048, 2), 0);
  EXPECT_TRUE(rig.engine->conditions().tripped);
  EXPECT_TRUE(rig.engine->extents().empty());
}

TEST_F(EngineDevice, Promise6_AFlushThatFindsMainGoneTrips) {
  unplug(ENODEV);
  EXPECT_NE(rig.engine->flush().error, 0);
  EXPECT_TRUE(rig.engine->conditions().tripped);
}

TEST_F(EngineDevice, WhileTrippedTheSpareStillServesWhatItHolds) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  unplug(ENODEV);
  EXPECT_LT(rig.read(0, 8), 0);
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.write(64, 8, 3), 0);
  EXPECT_EQ(rig.read(64, 8), 3);
  EXPECT_NE(rig.engine->flush().error, 0);
  EXPECT_FALSE(rig.engine->relocate({{500}, {8}}));
}

TEST_F(EngineDevice, WithoutAReopenerATrippedBreakerStaysTripped) {
  unplug(ENODEV);
  EXPECT_LT(rig.read(0, 8), 0);
  replug();
  EXPECT_LT(rig.read(0, 8), 0);
  EXPECT_TRUE(rig.engine->conditions().tripped);
}

TEST_F(EngineDevice, Promise2_AFlushThatFailsForLackOfRoomIsReadBackToo) {
  std::vector<SectorRange> gone;
  for (const int error : {ENOSPC, EDQUOT}) {
    const std::uint64_t at = 4'096 * (gone.size() + 1);
    EXPECT_EQ(rig.write(at, 8, 3), 0);
    rig.main.fail_reads({{at + 4}, {1}}, EIO);
    rig.main.set_hook([error](const sim::Request& request) -> io::IoStatus {
      return {request.kind == sim::Request::Kind::flush ? error : 0};
    });
    EXPECT_EQ(rig.engine->flush().error, error);
    gone.push_back({{at + 4}, {1}});
    EXPECT_EQ(rig.in_state(State::gone), gone);
    rig.main.set_hook({});
    EXPECT_EQ(rig.engine->flush().error, 0);
  }
}

TEST_F(EngineDevice, FlushReachesMainAndASpareThatWasWritten) {
  const std::uint64_t main_flushes = rig.main.counters().flushes;
  const std::uint64_t spare_flushes = rig.spare.counters().flushes;
  EXPECT_EQ(rig.write(0, 8, 2), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.main.counters().flushes, main_flushes + 1);
  EXPECT_EQ(rig.spare.counters().flushes, spare_flushes);
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.write(64, 8, 3), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.spare.unflushed_writes(), 0U);
  EXPECT_EQ(rig.main.unflushed_writes(), 0U);
}

TEST_F(EngineDevice, Promise3_EachOfSeveralUsersHearsOfAFlushThatFailed) {
  FlushHeard first;
  FlushHeard second;
  rig.engine->begin_hearing(first);
  rig.engine->begin_hearing(second);
  ASSERT_EQ(rig.write(64, 8, 2), 0);
  std::atomic<bool> fail{true};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush && fail ? EIO : 0};
  });
  EXPECT_EQ(rig.engine->flush_for(first).error, EIO);
  fail = false;
  EXPECT_EQ(rig.engine->flush_for(first).error, 0) << "has heard of it";
  EXPECT_EQ(rig.engine->flush_for(second).error, EIO) << "whoever else was told";
  EXPECT_EQ(rig.engine->flush_for(second).error, 0);
  FlushHeard later;
  rig.engine->begin_hearing(later);
  EXPECT_EQ(rig.engine->flush_for(later).error, 0) << "came after it was told";
}

TEST_F(EngineDevice, AFailedFlushIsReturnedAndUnreadableSectorsAreGone) {
  EXPECT_EQ(rig.write(100, 8, 2), 0);
  EXPECT_EQ(rig.write(9000, 8, 2), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.write(100, 8, 3), 0);
  rig.main.fail_reads({{102}, {1}}, EIO);
  rig.main.fail_reads({{9000}, {8}}, EIO);  // not written since the last good flush
  rig.main.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(rig.engine->flush().error, EIO);
  EXPECT_EQ(rig.in_state(State::gone), (std::vector<SectorRange>{{{102}, {1}}}));
  EXPECT_EQ(rig.table().lost, 0U);
  rig.main.set_hook({});
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.main.clear_faults();
  EXPECT_EQ(rig.read(102), -EIO);  // main is never asked for it again
  EXPECT_EQ(rig.read(103), 3);
}

TEST_F(EngineDevice, ZeroesReadAsZerosOnMainAndOnTheSpare) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.main.clear_faults();
  EXPECT_EQ(rig.engine->write_zeroes({{48}, {64}}).error, 0);
  EXPECT_EQ(rig.read(48, 64), 0);
  EXPECT_EQ(rig.table().remapped, 8U);
  EXPECT_EQ(rig.on_main(64), 1);
}

TEST_F(EngineDevice, ZeroesThatMainRefusesAreWrittenAndOnlyTheBadUnitMoves) {
  rig.main.fail_writes({{3003}, {1}}, EIO);
  EXPECT_EQ(rig.engine->write_zeroes({{2048}, {2048}}).error, 0);
  EXPECT_EQ(rig.read(2048, 2048), 0);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{3003}, {1}}}));
}

TEST_F(EngineDevice, ZeroesOverALostSectorAreLeftToPlainWrites) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.engine->write_zeroes({{48}, {64}}).error, EOPNOTSUPP);
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(rig.on_main(48), 1);
}

TEST_F(EngineDevice, ADiscardChangesNoStateAndTouchesGoodSectorsOnly) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  rig.main.fail_writes({{80}, {8}}, EIO);
  EXPECT_EQ(rig.write(80, 8, 2), 0);
  EXPECT_EQ(rig.engine->discard({{48}, {64}}).error, 0);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.read(80, 8), 2);
  EXPECT_EQ(rig.on_main(64), 1);
  EXPECT_EQ(rig.on_main(80), 1);
  EXPECT_EQ(rig.on_main(48), 0);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), -EIO);
}

TEST_F(EngineDevice, AFailedDiscardChangesNothing) {
  rig.main.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::discard ? EOPNOTSUPP : 0};
  });
  EXPECT_EQ(rig.engine->discard({{0}, {64}}).error, EOPNOTSUPP);
  rig.main.set_hook([](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::discard ? EIO : 0};
  });
  EXPECT_EQ(rig.engine->discard({{0}, {64}}).error, EIO);
  EXPECT_TRUE(rig.engine->extents().empty());
  EXPECT_FALSE(rig.engine->conditions().tripped);
}

TEST_F(EngineDevice, RelocationMovesWhatReadsAndListsWhatDoesNot) {
  EXPECT_EQ(rig.write(96, 64, 2), 0);
  rig.main.fail_reads({{100}, {1}}, EIO);
  rig.main.fail_writes({{120}, {8}}, EIO);
  EXPECT_EQ(rig.write(120, 8, 2), 0);
  const auto moved = rig.engine->relocate({{96}, {64}});
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(moved->relocated.value, 64U - 8 - 1);
  EXPECT_EQ(moved->lost.value, 1U);
  EXPECT_EQ(moved->untouched.value, 8U);
  EXPECT_EQ(rig.table().remapped, 63U);
  EXPECT_EQ(rig.read(101, 59), 2);
  EXPECT_EQ(rig.read(100), -EIO);
  rig.main.fail_reads({{0}, {2048}}, EIO);
  EXPECT_EQ(rig.read(101, 59), 2);
  const auto again = rig.engine->relocate({{96}, {64}});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->untouched.value, 64U);
}

TEST_F(EngineDevice, RelocationHoldsOffOverlappingWritesAndNoOthers) {
  std::atomic<bool> overlapping{false};
  std::thread writer;
  std::atomic<bool> begun{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::read && request.range.first == Sector{2048} &&
        !begun.exchange(true)) {
      writer = std::thread([&] {
        EXPECT_EQ(rig.write(2050, 8, 9), 0);
        overlapping = true;
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      EXPECT_FALSE(overlapping);
      EXPECT_EQ(rig.write(0, 8, 9), 0);
      EXPECT_EQ(rig.read(2050, 8), 1);
    }
    return {0};
  });
  EXPECT_TRUE(rig.engine->relocate({{2048}, {64}}));
  writer.join();
  EXPECT_EQ(rig.read(2050, 8), 9);
  EXPECT_EQ(rig.on_main(2050), 1);
}

TEST_F(EngineDevice, RelocationDrainsTheWritesInFlightBeforeItReads) {
  std::atomic<bool> in_write{false};
  std::atomic<bool> go{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::write && request.range.first == Sector{2050}) {
      in_write = true;
      while (!go) std::this_thread::yield();
    }
    return {0};
  });
  std::thread writer([&] { EXPECT_EQ(rig.write(2050, 8, 9), 0); });
  while (!in_write) std::this_thread::yield();
  std::atomic<bool> relocated{false};
  std::thread relocator([&] {
    EXPECT_TRUE(rig.engine->relocate({{2048}, {64}}));
    relocated = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(relocated);
  go = true;
  writer.join();
  relocator.join();
  EXPECT_EQ(rig.read(2050, 8), 9);
}

TEST_F(EngineDevice, DiscardsAndZeroesCountAsWrites) {
  std::uint64_t counted = rig.engine->counts().writes;
  const auto more = [&] {
    const std::uint64_t before = std::exchange(counted, rig.engine->counts().writes);
    return counted > before;
  };
  EXPECT_EQ(rig.engine->discard({{2048}, {64}}).error, 0);
  EXPECT_TRUE(more()) << "clean";
  EXPECT_EQ(rig.engine->write_zeroes({{2048}, {64}}).error, 0);
  EXPECT_TRUE(more()) << "clean";
  rig.main.fail_writes({{80}, {8}}, EIO);
  EXPECT_EQ(rig.write(80, 8, 2), 0);
  EXPECT_TRUE(more());
  EXPECT_EQ(rig.engine->discard({{64}, {64}}).error, 0);
  EXPECT_TRUE(more()) << "among bad ones";
  EXPECT_EQ(rig.engine->write_zeroes({{64}, {64}}).error, 0);
  EXPECT_TRUE(more()) << "among bad ones";
}

TEST_F(EngineDevice, WritesAreSettledWhenNoneOfThemIsInFlight) {
  std::atomic<bool> in_write{false};
  std::atomic<bool> go{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::write) {
      in_write = true;
      while (!go) std::this_thread::yield();
    }
    return {0};
  });
  std::thread writer([&] { EXPECT_EQ(rig.write(2050, 8, 9), 0); });
  while (!in_write) std::this_thread::yield();
  std::atomic<bool> settled{false};
  std::thread asking([&] {
    EXPECT_EQ(rig.engine->settled_writes(), 1U);
    settled = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FALSE(settled);
  go = true;
  writer.join();
  asking.join();
  EXPECT_EQ(rig.engine->counts().writes, 1U);
}

// Starts a set that asks its lost sectors again each second, and loses some.
void start_and_lose(Rig& rig) {
  rig.content.configuration.lost_recheck_s = 1;
  ASSERT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
  rig.start();
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
}

TEST(EngineRecheck, NothingIsRelocatedOnceTheBackgroundEnded) {
  Rig rig;
  start_and_lose(rig);
  rig.engine->end_background();
  rig.main.clear_faults();
  std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(rig.engine->relocate({{64}, {8}})->relocated.value, 8U) << "by hand";
}

TEST(EngineRecheck, ItIsRelocatedOnceTheBackgroundHasBegunAgain) {
  Rig rig;
  start_and_lose(rig);
  rig.engine->end_background();
  rig.engine->end_background();
  rig.main.clear_faults();
  rig.engine->begin_background();
  rig.engine->begin_background();
  EXPECT_TRUE(soon([&] { return rig.table().lost == 0; }));
}

class CountedRounds final : public RecheckRounds {
 public:
  void begin_round() override { ++begun; }
  void end_round() override { ++ended; }
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
};

TEST(EngineRecheck, ARoundIsToldOfAroundItsReadsAndNotWithoutLostSectors) {
  Rig rig;
  rig.content.configuration.lost_recheck_s = 1;
  ASSERT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
  CountedRounds rounds;
  rig.recheck_rounds = &rounds;
  rig.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(2'500));
  EXPECT_EQ(rounds.begun, 0) << "there was nothing to ask";
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  std::atomic<bool> asked_outside{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    const bool in_a_round = rounds.begun == rounds.ended + 1;
    if (request.range.overlaps({{64}, {8}}) && !in_a_round) asked_outside = true;
    return {0};
  });
  EXPECT_TRUE(soon([&] { return rounds.ended > 0; }));
  rig.stop();
  EXPECT_FALSE(asked_outside);
  EXPECT_EQ(rounds.begun, rounds.ended);
}

TEST(EngineRecheck, ALostSectorThatReadsAgainIsRelocatedAndAGoneOneIsNeverAsked) {
  Rig rig;
  rig.content.configuration.lost_recheck_s = 1;
  ASSERT_TRUE(metadata::Store::create(rig.spare, rig.content, rig.random, system_clock()));
  rig.start();
  rig.make_gone(80);
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  std::atomic<bool> gone_asked{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.range.overlaps({{80}, {1}})) gone_asked = true;
    return {0};
  });
  rig.main.clear_faults();
  ASSERT_TRUE(soon([&] { return rig.table().lost == 0; }));
  EXPECT_FALSE(gone_asked);
  EXPECT_EQ(rig.read(64, 8), 1);
  EXPECT_EQ(rig.read(80), -EIO);
  EXPECT_GE(rig.events.count(EventKind::recovered), 1U);
}

TEST(EngineRetry, AsksLostSectorsAtOnceAndLeavesGoneOnesAlone) {
  Rig rig;
  rig.start();
  rig.make_gone(80);
  rig.main.fail_reads({{64}, {16}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.read(72, 8), -EIO);
  rig.main.clear_faults();
  rig.main.fail_reads({{72}, {8}}, EILSEQ);
  std::vector<std::uint64_t> tried;
  const auto done = rig.engine->retry({{0}, {4096}}, [&](const RetryReport& so_far) {
    EXPECT_EQ(so_far.asked.value, 16U);
    tried.push_back(so_far.tried.value);
    return true;
  });
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->tried.value, 16U);
  EXPECT_EQ(done->recovered.value, 8U);
  EXPECT_EQ(done->lost.value, 8U);
  EXPECT_EQ(done->error, EILSEQ);
  EXPECT_TRUE(std::ranges::is_sorted(tried));
  EXPECT_EQ(tried.back(), 8U) << "told before the last read";
  EXPECT_EQ(rig.read(64, 8), 1);
  EXPECT_EQ(rig.read(72, 8), -EIO);
  EXPECT_EQ(rig.read(80), -EIO) << "gone: main has something older";
  EXPECT_EQ(rig.table().gone, 1U);
}

TEST(EngineRetry, ASuspectSectorThatReadsFastIsGood) {
  Rig rig;
  rig.start();
  ASSERT_TRUE(rig.engine->mark_known_bad({{}, {{{64}, {8}}}}, false));
  ASSERT_EQ(rig.table().suspect, 8U);
  const auto outside = rig.engine->retry({{512}, {512}}, [](const RetryReport&) { return true; });
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->asked.value, 0U);
  EXPECT_EQ(rig.table().suspect, 8U);
  const auto done = rig.engine->retry({{0}, {512}}, [](const RetryReport&) { return true; });
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->good.value, 8U);
  EXPECT_EQ(rig.table().suspect, 0U);
}

TEST(EngineRetry, EndsWhenToldAndSaysWhatIsLeft) {
  Rig rig;
  rig.start();
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  rig.main.clear_faults();
  const auto done = rig.engine->retry({{0}, {512}}, [](const RetryReport&) { return false; });
  ASSERT_TRUE(done);
  EXPECT_EQ(done->tried.value, 0U);
  EXPECT_EQ(done->lost.value, 8U);
}

TEST(EngineCommit, TakesAlongWhatTheObserverPutsIn) {
  Rig rig;
  rig.events.on_records = [](format::Records& records) {
    records.unknown = {{99, 0, std::vector<std::byte>(8, std::byte{5})}};
  };
  rig.start();
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.stop();
  const auto found = metadata::survey(rig.spare);
  ASSERT_TRUE(found && found->content);
  ASSERT_EQ(found->content->unknown.size(), 1U);
  EXPECT_EQ(found->content->unknown.front().type, 99U);
}

}  // namespace
}  // namespace dmremap::remap
