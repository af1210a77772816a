// SPDX-License-Identifier: GPL-2.0-or-later
// Main goes and comes back: what the engine then says of what main's cache held.
#include <thread>

#include "remap/device/breaker.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

// Main goes, with what was not flushed, and is back.
void away_without_its_cache(Rig& rig, Reopener& reopener) {
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(5000, 8), 0);
  rig.main.power_cut([](const sim::Request&, Sector) { return false; });
  rig.main.set_hook({});
  reopener.device = &rig.main;
  ASSERT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
}

// The process died, the device did not; then the device went away without what it had in its cache,
// and the new engine had written nothing to it.
TEST(EngineRearm, Promise3_WhatAnEarlierRunLeftInMainsCacheIsNotCalledDurable) {
  for (const bool flushed : {false, true}) {
    Rig rig;
    Reopener reopener;
    rig.evidence = {rig.block_hash(30'000)};
    rig.start(&reopener);
    EXPECT_EQ(rig.write(0, 8, 2), 0);
    rig.stop();
    EXPECT_GT(rig.main.unflushed_writes(), 0U) << "as if it had been killed";
    rig.start(&reopener);
    EXPECT_EQ(rig.read(0, 8), 2);
    if (flushed) {
      EXPECT_EQ(rig.engine->flush().error, 0);
    }
    ASSERT_NO_FATAL_FAILURE(away_without_its_cache(rig, reopener));
    EXPECT_EQ(rig.engine->flush().error, flushed ? 0 : EIO);
    EXPECT_EQ(rig.read(0, 8), flushed ? 2 : 1);
    EXPECT_EQ(rig.engine->flush().error, 0);
    rig.stop();
  }
}

TEST(EngineRearm, ReplugCarriesOn) {
  Rig rig;
  Reopener reopener;
  rig.evidence = {rig.block_hash(30'000)};
  rig.start(&reopener);
  EXPECT_EQ(rig.write(0, 8, 2), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(0, 8), 0);
  // The device answers again at the same door, but not where it is asked first.
  reopener.device = &rig.main;
  ASSERT_TRUE(soon([&] { return reopener.asked > 2; }));
  EXPECT_TRUE(rig.engine->conditions().tripped);
  rig.main.set_hook({});
  ASSERT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
  EXPECT_EQ(rig.events.count(EventKind::rearm), 1U);
  EXPECT_EQ(rig.read(0, 8), 2);
  EXPECT_EQ(rig.write(0, 8, 3), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.stop();
}

TEST(EngineRearm, RequestsThatWaitedInLineDoNotTripAClosedBreaker) {
  EXPECT_EQ(io::classify(kTripped.error), io::Fault::device);
  Rig rig;
  Reopener reopener;
  rig.evidence = {rig.block_hash(30'000)};
  rig.start(&reopener);
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(0, 8), 0);
  std::atomic<bool> over{false};
  std::vector<std::thread> clients;
  for (std::uint64_t t = 0; t < 4; ++t) {
    clients.emplace_back([&, t] {
      while (!over) (void)rig.read(t * 64, 8);
    });
  }
  reopener.device = &rig.main;
  rig.main.set_hook({});
  EXPECT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(rig.events.count(EventKind::trip), 1U);
  EXPECT_EQ(rig.events.count(EventKind::rearm), 1U);
  rig.stop();
}

TEST(EngineRearm, ADeviceOfAnotherSizeIsNotMain) {
  Rig rig;
  Reopener reopener;
  sim::SimDevice other({kMainSize - SectorCount{8}, 512, 4096});
  rig.start(&reopener);
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_LT(rig.read(0, 8), 0);
  reopener.device = &other;
  ASSERT_TRUE(soon([&] { return reopener.asked > 3; }));
  EXPECT_TRUE(rig.engine->conditions().tripped);
  rig.stop();
}

TEST(EngineRearm, WhatTheCacheOfAnAbsentMainHeldIsNotCalledDurable) {
  Rig rig;
  Reopener reopener;
  rig.evidence = {rig.block_hash(30'000)};
  rig.start(&reopener);
  EXPECT_EQ(rig.write(0, 8, 2), 0);  // acknowledged, not flushed
  ASSERT_NO_FATAL_FAILURE(away_without_its_cache(rig, reopener));
  EXPECT_NE(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.stop();
}

// A file system's first mount after main came back asks for a flush.
TEST(EngineRearm, Promise4_AWriteThatWasRefusedMakesNoFlushFail) {
  Rig rig;
  Reopener reopener;
  rig.evidence = {rig.block_hash(30'000)};
  rig.start(&reopener);
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
  EXPECT_NE(rig.write(0, 8, 2), 0);
  EXPECT_NE(rig.engine->write_zeroes({{64}, {8}}).error, 0);
  EXPECT_NE(rig.engine->discard({{128}, {8}}).error, 0);
  reopener.device = &rig.main;
  rig.main.set_hook({});
  ASSERT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.events.count(EventKind::gone), 0U);
  rig.stop();
}

TEST(EngineRearm, AFlushThatFailsAfterMainWasAwayNamesWhatIsGoneOrNothing) {
  for (const bool readable : {true, false}) {
    Rig rig;
    Reopener reopener;
    rig.evidence = {rig.block_hash(30'000)};
    rig.start(&reopener);
    EXPECT_EQ(rig.write(2'060, 8, 2), 0);
    ASSERT_NO_FATAL_FAILURE(away_without_its_cache(rig, reopener));
    if (!readable) rig.main.fail_reads({{2'060}, {8}}, EIO);
    EXPECT_EQ(rig.engine->flush().error, EIO);
    EXPECT_EQ(rig.events.count(EventKind::gone) > 0, !readable);
    bool named = false;
    for (const format::Event& event : rig.events.of(EventKind::gone)) {
      // The one that sums up names none.
      named = named || event.main.contains(Sector{2'060});
      EXPECT_TRUE(event.main.empty() || event.main.contains(Sector{2'060})) << event.text;
    }
    EXPECT_EQ(named, !readable);
    rig.stop();
  }
}

// Main goes and comes back while a flush is on its way: what the flush covered is in doubt.
TEST(EngineRearm, Promise2_AFlushThatMainLeftDuringIsReadBackLater) {
  Rig rig;
  Reopener reopener;
  rig.evidence = {rig.block_hash(30'000)};
  rig.start(&reopener);
  sim::SimDevice again(rig.main.geometry(), "again");
  again.poke({0}, rig.main.contents());
  again.fail_reads({{64}, {1}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::flush) {
      std::thread([&] { EXPECT_LT(rig.read(5'000, 8), 0); }).join();
      reopener.device = &again;
      EXPECT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
    }
    return {ENODEV};
  });
  EXPECT_NE(rig.engine->flush().error, 0);
  ASSERT_TRUE(soon([&] { return !rig.engine->conditions().tripped; }));
  EXPECT_NE(rig.engine->flush().error, 0) << "this one is told, and reads back";
  EXPECT_EQ(rig.in_state(State::gone), (std::vector<SectorRange>{{{64}, {1}}}));
  EXPECT_EQ(rig.engine->flush().error, 0);
  rig.stop();
}

}  // namespace
}  // namespace dmremap::remap
