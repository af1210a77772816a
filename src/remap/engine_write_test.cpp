// SPDX-License-Identifier: GPL-2.0-or-later
// What a write promises (promises 3 to 6 of the design).
#include <numeric>
#include <thread>

#include "format/layout.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

class EngineWrite : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  Rig rig;
};

TEST_F(EngineWrite, AHealthyDiskIsWrittenInPlaceAndNothingElseIs) {
  const std::uint64_t spare_steps = rig.spare.steps();
  EXPECT_EQ(rig.write(100, 16, 7), 0);
  EXPECT_EQ(rig.read(100, 16), 7);
  EXPECT_EQ(rig.on_main(100), 7);
  EXPECT_EQ(rig.on_main(99), 1);
  EXPECT_EQ(rig.spare.steps(), spare_steps);
  EXPECT_TRUE(rig.engine->extents().empty());
}

TEST_F(EngineWrite, RefusesWhatDoesNotFitMain) {
  EXPECT_EQ(rig.write(kMainSize.value - 4, 8, 7), EINVAL);
  EXPECT_EQ(rig.read(kMainSize.value, 1), -EINVAL);
  EXPECT_EQ(rig.engine->discard({{1}, {kMainSize.value}}).error, EINVAL);
}

TEST_F(EngineWrite, Promise5_OnlyTheBadUnitMoves) {
  rig.main.fail_writes({{3003}, {1}}, EIO);
  EXPECT_EQ(rig.write(2048, 2048, 9), 0);
  EXPECT_EQ(rig.read(2048, 2048), 9);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{3003}, {1}}}));
  EXPECT_EQ(rig.on_main(3002), 9);
  EXPECT_EQ(rig.on_main(3003), 1);
  EXPECT_EQ(rig.on_main(3004), 9);
}

TEST_F(EngineWrite, ABurstOfNeighboursIsOneCommitAndOneExtent) {
  rig.main.fail_writes({{4000}, {100}}, ENODATA);
  const std::uint64_t before = rig.store->current().sequence;
  EXPECT_EQ(rig.write(3900, 400, 9), 0);
  EXPECT_EQ(rig.store->current().sequence, before + 1);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{4000}, {100}}}));
  EXPECT_EQ(rig.events.count(EventKind::remap), 1U);
  EXPECT_EQ(rig.read(3900, 400), 9);
}

TEST_F(EngineWrite, ARemappedSectorIsServedByTheSpareFromThenOn) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  const std::uint64_t before = rig.store->current().sequence;
  EXPECT_EQ(rig.write(60, 16, 3), 0);
  EXPECT_EQ(rig.store->current().sequence, before);
  EXPECT_EQ(rig.read(60, 16), 3);
  EXPECT_EQ(rig.on_main(64), 1);
  EXPECT_EQ(rig.engine->counts().remapped_writes, 1U);
  EXPECT_EQ(rig.engine->counts().remapped_reads, 1U);
}

TEST_F(EngineWrite, EverySectorOfARequestIsLookedUpNotOnlyItsFirst) {
  rig.main.fail_writes({{105}, {1}}, EIO);
  rig.main.fail_writes({{110}, {2}}, EIO);
  EXPECT_EQ(rig.write(100, 16, 4), 0);
  EXPECT_EQ(rig.write(96, 32, 5), 0);
  EXPECT_EQ(rig.read(96, 32), 5);
  EXPECT_EQ(rig.read(105), 5);
  EXPECT_EQ(rig.read(111), 5);
}

TEST_F(EngineWrite, Promise3_MappingsAreFoundByTheNextAssembly) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  const SectorRange spare = rig.spare_of(64);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.spare_of(64), spare);
}

TEST_F(EngineWrite, ASpareSectorIsNotReusedAfterARestart) {
  rig.main.fail_writes({{64}, {64}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.restart();
  EXPECT_EQ(rig.write(72, 8, 3), 0);
  EXPECT_FALSE(rig.spare_of(64).overlaps(rig.spare_of(72)));
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.read(72, 8), 3);
}

TEST_F(EngineWrite, ConcurrentErrorsAreAllRemembered) {
  rig.main.fail_writes({{0}, {8192}}, ENODATA);
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (std::uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 20; ++i) {
        if (rig.write(t * 1024 + i * 16, 8, static_cast<int>(t) + 10) != 0) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  rig.restart();
  for (std::uint64_t t = 0; t < 8; ++t) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      EXPECT_EQ(rig.read(t * 1024 + i * 16, 8), static_cast<int>(t) + 10);
    }
  }
}

TEST_F(EngineWrite, ABadSpareSectorIsRetiredAndTheNextOneTaken) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  rig.spare.fail_writes({rig.data_areas()[0].first, {3}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.table().spare_retired, 3U);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.table().spare_retired, 3U);
}

TEST_F(EngineWrite, ARemappedSectorWhoseSpareSectorGoesBadMovesOn) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  const SectorRange first = rig.spare_of(66);
  rig.spare.fail_writes(first, EIO);
  EXPECT_EQ(rig.write(64, 8, 3), 0);
  EXPECT_EQ(rig.read(64, 8), 3);
  EXPECT_NE(rig.spare_of(66), first);
  EXPECT_EQ(rig.table().spare_retired, 1U);
  EXPECT_EQ(rig.table().remapped, 8U);
}

TEST_F(EngineWrite, ASpareThatRefusesEverythingIsNotBurntSectorBySector) {
  rig.main.fail_writes({{0}, {2048}}, ENODATA);
  for (const SectorRange& area : rig.data_areas()) rig.spare.fail_writes(area, ENODATA);
  const std::uint64_t before = rig.spare.steps();
  EXPECT_NE(rig.write(0, 1024, 2), 0);
  EXPECT_LT(rig.spare.steps() - before, 100U);
  EXPECT_EQ(rig.table().spare_retired, 0U);
  EXPECT_FALSE(rig.engine->conditions().read_only);
}

TEST_F(EngineWrite, Promise4_WhenTheSpareIsFullOnlyThatWriteFails) {
  rig.main.fail_writes({{0}, {kMainSize.value}}, ENODATA);
  std::uint64_t first = 0;
  int error = 0;
  while (error == 0 && first + 512 <= kMainSize.value) {
    error = rig.write(first, 512, 5);
    first += 512;
  }
  EXPECT_EQ(error, ENOSPC);
  EXPECT_EQ(rig.events.count(EventKind::spare_full), 1U);
  EXPECT_TRUE(rig.engine->conditions().spare_full);
  EXPECT_TRUE(rig.engine->conditions().spare_low);
  EXPECT_GE(rig.events.count(EventKind::spare_low), 2U);
  rig.main.clear_faults();
  EXPECT_EQ(rig.read(0, 512), 5);
  EXPECT_EQ(rig.write(0, 512, 6), 0);
  EXPECT_EQ(rig.write(kMainSize.value - 8, 8, 6), 0);
  EXPECT_EQ(rig.read(0, 512), 6);
}

TEST_F(EngineWrite, SpareLowIsToldAt50And80And95Percent) {
  const std::uint64_t capacity = rig.table().spare_capacity;
  rig.main.fail_writes({{0}, {kMainSize.value}}, ENODATA);
  for (std::uint64_t at = 0; at + 128 < capacity; at += 128) ASSERT_EQ(rig.write(at, 128, 5), 0);
  EXPECT_EQ(rig.events.count(EventKind::spare_low), 3U);
}

TEST_F(EngineWrite, AWriteToALostSectorHealsExactlyWhatItCovers) {
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.table().lost, 8U);
  const std::uint64_t main_steps = rig.main.steps();
  EXPECT_EQ(rig.write(66, 2, 4), 0);
  EXPECT_EQ(rig.main.steps(), main_steps);  // main is not touched there
  EXPECT_EQ(rig.read(66, 2), 4);
  EXPECT_EQ(rig.read(65), -EIO);
  EXPECT_EQ(rig.read(68), -EIO);
  EXPECT_EQ(rig.table().lost, 6U);
  rig.restart();
  EXPECT_EQ(rig.read(66, 2), 4);
  EXPECT_EQ(rig.read(65), -EIO);
}

class EngineFull : public ::testing::Test {
 protected:
  // Sectors 64 to 71 are lost, main takes writes below 2048 only, and the spare is full.
  void SetUp() override {
    rig.start();
    rig.main.fail_reads({{64}, {8}}, EIO);
    EXPECT_EQ(rig.read(64, 8), -EIO);
    rig.main.clear_faults();
    rig.main.fail_writes({{2048}, {kMainSize.value - 2048}}, ENODATA);
    for (std::uint64_t at = 2048; rig.table().spare_free > 0; at += 512) {
      const std::uint64_t count = std::min<std::uint64_t>(512, rig.table().spare_free);
      ASSERT_EQ(rig.write(at, count, 5), 0);
    }
  }
  Rig rig{{kMainSize, 512, 4096}, {32'768}};
};

TEST_F(EngineFull, ThatNoSpareSectorIsLeftIsSaidBeforeAWriteFailsForIt) {
  EXPECT_TRUE(rig.engine->conditions().spare_full);
  EXPECT_EQ(rig.events.count(EventKind::spare_full), 1U);
  rig.restart();
  EXPECT_TRUE(rig.engine->conditions().spare_full);
  EXPECT_EQ(rig.engine->conditions().reason, "no spare sector is left");
}

TEST_F(EngineFull, Promise4_ALostSectorIsHealedOnMain) {
  // What main and the spare both refuse fails; what was lost on main may be taken by main.
  EXPECT_EQ(rig.write(kMainSize.value - 8, 8, 6), ENOSPC);
  EXPECT_EQ(rig.write(60, 16, 6), 0);
  EXPECT_EQ(rig.read(60, 16), 6);
  EXPECT_EQ(rig.on_main(64), 6);
  EXPECT_EQ(rig.table().lost, 0U);
  rig.restart();
  EXPECT_EQ(rig.read(60, 16), 6);
}

TEST_F(EngineFull, AHealCountsAsAWriteWhenItEnds) {
  std::uint64_t meanwhile = 0;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    // It reads back what it wrote; the write alone is in flight like any other.
    if (request.kind == sim::Request::Kind::read && request.range.contains(Sector{64})) {
      meanwhile = rig.engine->settled_writes().value_or(0);
    }
    return {0};
  });
  EXPECT_EQ(rig.write(64, 8, 6), 0);
  EXPECT_GT(meanwhile, 0U);
  EXPECT_GT(rig.engine->counts().writes, meanwhile);
}

TEST_F(EngineFull, ALostSectorThatDoesNotReadBackAsWrittenStaysLost) {
  rig.main.set_hook([this](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::read && request.range.contains(Sector{66})) {
      rig.main.poke({66}, pattern(1, 1));  // the write did not stick
    }
    return {0};
  });
  EXPECT_EQ(rig.write(64, 8, 6), EIO);
  rig.main.set_hook({});
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(rig.read(66), -EIO);
}

TEST_F(EngineWrite, FuaIsDurableOnMainAndOnTheSpare) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.write(60, 12, 3, true), 0);
  EXPECT_EQ(rig.main.unflushed_writes(), 0U);
  EXPECT_EQ(rig.spare.unflushed_writes(), 0U);
}

TEST_F(EngineWrite, AFailedCommitFailsTheWriteAndEndsWriting) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  // The bodies are taken everywhere, so that seals are written; those of the far copies are not.
  for (const SectorRange& copy : rig.metadata_areas()) {
    if (copy.first < Sector{9'216}) continue;
    for (const std::uint64_t slot : {std::uint64_t{0}, format::kSlotSectors.value}) {
      rig.spare.fail_writes({copy.first + SectorCount{slot}, format::kBlockSectors}, EIO);
    }
  }
  EXPECT_NE(rig.write(64, 8, 2), 0);
  const Conditions conditions = rig.engine->conditions();
  EXPECT_TRUE(conditions.read_only);
  EXPECT_FALSE(conditions.reason.empty());
  EXPECT_EQ(rig.events.count(EventKind::read_only), 1U);
  EXPECT_EQ(rig.write(5000, 8, 2), EROFS);
  EXPECT_EQ(rig.engine->discard({{5000}, {8}}).error, EROFS);
  EXPECT_EQ(rig.engine->write_zeroes({{5000}, {8}}).error, EROFS);
  EXPECT_EQ(rig.read(5000, 8), 1);
  EXPECT_FALSE(rig.engine->relocate({{5000}, {8}}));
}

TEST_F(EngineWrite, Promise13_ASpareThatTakesNoMetadataForAWhileEndsNothingForGood) {
  rig.main.fail_writes({{64}, {8}}, EIO);
  for (const SectorRange& area : rig.metadata_areas()) rig.spare.fail_writes(area, EIO);
  EXPECT_NE(rig.write(64, 8, 2), 0);
  EXPECT_FALSE(rig.engine->conditions().read_only);
  rig.spare.clear_faults();
  EXPECT_TRUE(soon([&] { return rig.write(64, 8, 2) == 0; }));
  EXPECT_EQ(rig.read(64, 8), 2);
}

TEST(EngineTable, AFullTableFailsTheWriteThatMeetsItAndNoOther) {
  Rig rig;
  FakeStore store;
  store.capacity = 1;
  rig.start_with(&store);
  rig.main.fail_writes({{0}, {4096}}, ENODATA);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.write(640, 8, 2), ENOSPC);
  EXPECT_EQ(rig.write(640, 8, 2), ENOSPC);
  EXPECT_TRUE(rig.engine->conditions().table_full);
  EXPECT_EQ(rig.events.count(EventKind::table_full), 1U);
  EXPECT_EQ(rig.write(64, 8, 3), 0);
  EXPECT_EQ(rig.read(64, 8), 3);
  EXPECT_EQ(rig.write(8000, 8, 3), 0);
  EXPECT_EQ(rig.table().remapped, 8U);
  rig.stop();
}

TEST(EngineTable, Promise4_SuspectSectorsGiveWayInAFullTable) {
  Rig rig;
  FakeStore store;
  store.capacity = 4;
  rig.start_with(&store);
  ASSERT_TRUE(rig.engine->mark_known_bad({{}, {{{800}, {1}}, {{810}, {1}}, {{820}, {1}}}}, false));
  rig.main.fail_writes({{0}, {512}}, ENODATA);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.table().suspect, 3U) << "while there is room";
  EXPECT_EQ(rig.write(128, 8, 2), 0);
  EXPECT_EQ(rig.read(128, 8), 2);
  EXPECT_EQ(rig.table().suspect, 0U);
  EXPECT_EQ(store.last.extents.size(), 2U);
  EXPECT_EQ(rig.read(800), 1) << "main serves it, as before";
  EXPECT_FALSE(rig.engine->conditions().table_full);
  rig.stop();
}

TEST(EngineTable, AListThatDoesNotFitIsRefusedAndTheTableIsNotFull) {
  Rig rig;
  FakeStore store;
  store.capacity = 2;
  rig.start_with(&store);
  const table::KnownBad list{{{{100}, {1}}}, {{{800}, {1}}, {{810}, {1}}}};
  const auto marked = rig.engine->mark_known_bad(list, false);
  ASSERT_FALSE(marked);
  EXPECT_EQ(marked.error().code, ErrorCode::metadata_full);
  EXPECT_FALSE(rig.engine->conditions().table_full);
  EXPECT_EQ(rig.table().extents, 0U);
  rig.stop();
}

// Sectors that are free by a commit that is no longer the last may hold somebody's data by now.
TEST(EngineTable, NothingIsWrittenToTheSpareBesideAnotherWriter) {
  Rig rig;
  FakeStore store;
  rig.start_with(&store);
  rig.main.fail_writes({{0}, {4096}}, ENODATA);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  store.alone = false;
  const std::uint64_t steps = rig.spare.steps();
  EXPECT_NE(rig.write(640, 8, 2), 0);
  EXPECT_EQ(rig.spare.steps(), steps);
  EXPECT_TRUE(rig.engine->conditions().read_only);
  rig.stop();
}

TEST(EngineTable, OneJobTooManyDoesNotFailThoseItWasCommittedWith) {
  Rig rig;
  FakeStore store;
  store.capacity = 3;
  rig.start_with(&store);
  rig.main.fail_writes({{0}, {4096}}, ENODATA);
  // While the first commit waits, four more jobs gather into one batch.
  std::atomic<bool> entered{false};
  std::atomic<bool> go{false};
  store.before = [&] {
    entered = true;
    while (!go) std::this_thread::yield();
  };
  std::array<std::atomic<int>, 5> results{};
  std::vector<std::thread> threads;
  threads.emplace_back([&] { results[0] = rig.write(0, 8, 2); });
  while (!entered) std::this_thread::yield();
  for (std::size_t i = 1; i < 5; ++i) {
    threads.emplace_back([&, i] { results[i] = rig.write(i * 100, 8, 2); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  go = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::ranges::count_if(results, [](const auto& r) { return r == 0; }), 3);
  EXPECT_EQ(std::ranges::count_if(results, [](const auto& r) { return r == ENOSPC; }), 2);
  EXPECT_EQ(store.last.extents.size(), 3U);
  rig.stop();
}

TEST(EngineTable, NothingIsAcknowledgedBeforeTheCommitIs) {
  Rig rig;
  FakeStore store;
  rig.start_with(&store);
  rig.main.fail_writes({{64}, {8}}, EIO);
  std::size_t unflushed = 99;
  int seen_during_commit = 0;
  store.before = [&] {
    unflushed = rig.spare.unflushed_writes();
    seen_during_commit = rig.read(64, 8);
  };
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(unflushed, 0U);          // the data was durable before the mapping
  EXPECT_EQ(seen_during_commit, 1);  // and the mapping was not used before it was
  EXPECT_EQ(rig.read(64, 8), 2);
  rig.stop();
}

TEST(EngineTable, AFailedFlushOfTheSpareBindsNothing) {
  Rig rig;
  FakeStore store;
  rig.start_with(&store);
  rig.main.fail_writes({{64}, {8}}, EIO);
  rig.spare.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(rig.write(64, 8, 2), EIO);
  EXPECT_TRUE(rig.engine->extents().empty());
  EXPECT_TRUE(store.last.extents.empty());
  rig.spare.set_hook({});
  // What the failed flush covered may have been a user's.
  EXPECT_EQ(rig.engine->flush().error, EIO);
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.read(64, 8), 2);
  rig.stop();
}

TEST_F(EngineWrite, ErrorsThatBlameTheRequestOrTheHostAreReturnedAndChangeNothing) {
  // EROFS and EPERM speak of a main that takes no writes: SpareWatch.* and promise 6.
  for (const int error : {ENOSPC, EINVAL}) {
    rig.main.clear_faults();
    rig.main.fail_writes({{64}, {8}}, error);
    EXPECT_EQ(rig.write(64, 8, 2), error);
  }
  EXPECT_TRUE(rig.engine->extents().empty());
  EXPECT_FALSE(rig.engine->conditions().tripped);
}

TEST_F(EngineWrite, CommitRecordKeepsWhatTheSetSaysAboutItself) {
  EXPECT_TRUE(rig.engine->commit_record([](format::Records& content, const table::Table&) {
    content.health.clean = true;
    content.identity.main.fs_uuid = "f00";
  }));
  rig.main.fail_writes({{64}, {8}}, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.stop();
  const auto survey = metadata::survey(rig.spare);
  ASSERT_TRUE(survey && survey->content);
  EXPECT_TRUE(survey->content->health.clean);
  EXPECT_EQ(survey->content->identity.main.fs_uuid, "f00");
  EXPECT_GE(survey->content->health.remaps, 2U);
  EXPECT_EQ(survey->content->extents.size(), 1U);
}

TEST_F(EngineWrite, TheEvidenceNamesErrnoCommitAndTime) {
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  const auto extents = rig.engine->extents();
  ASSERT_EQ(extents.size(), 1U);
  EXPECT_EQ(extents[0].cause(), ENODATA);
  EXPECT_EQ(extents[0].bound_sequence(), rig.store->current().sequence);
  EXPECT_GT(extents[0].bound_time(), 1'700'000'000U);
}

TEST(EngineGeometry, ADiskWith4KiBBlocksMovesWholeBlocks) {
  Rig rig({kMainSize, 4096, 4096});
  rig.start();
  rig.main.fail_writes({{3003}, {1}}, EIO);
  EXPECT_EQ(rig.write(2048, 2048, 9), 0);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{3000}, {8}}}));
  EXPECT_EQ(rig.read(2048, 2048), 9);
  EXPECT_EQ(rig.write(2049, 8, 9), EINVAL);
}

TEST(EngineGeometry, ATableThatDoesNotFitMainIsRefused) {
  Rig rig;
  rig.content.extents.push_back(format::Extent(State::lost, {{kMainSize.value - 4}, {8}}));
  EngineParts parts;
  parts.main = &rig.main;
  parts.spares = {&rig.spare};
  parts.clock = &system_clock();
  EXPECT_FALSE(Engine::start(parts, rig.content));
}

}  // namespace
}  // namespace dmremap::remap
