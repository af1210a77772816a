// SPDX-License-Identifier: GPL-2.0-or-later
// A spare that fails in places: it has the same right to bad sectors as main (promises 2 and 4).
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;
using format::State;

constexpr SectorCount kLargeSpare{100'000};

// Stands still but for what a test adds.
class SteppedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
  std::uint64_t monotonic_ns() override { return now_ns_.load(); }
  void advance(std::chrono::nanoseconds by) {
    now_ns_.fetch_add(static_cast<std::uint64_t>(by.count()));
  }

 private:
  std::atomic<std::uint64_t> now_ns_{1'000'000'000};
};

class SpareFaults : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  // The first sector that the allocator gives out.
  [[nodiscard]] Sector allocation_point() const { return rig.data_areas()[0].first; }
  // From there on, over copies and data alike.
  void fail_data_writes(Sector first, std::uint64_t count, int error) {
    const SectorRange bad{first, {count}};
    for (const SectorRange& area : rig.data_areas()) {
      const SectorRange part = area.intersect(bad);
      if (!part.empty()) rig.spare.fail_writes(part, error);
    }
  }
  Rig rig{{kMainSize, 512, 4096}, kLargeSpare};
};

TEST_F(SpareFaults, Promise4_ARunOfBadSpareSectorsFailsNoWrite) {
  rig.main.fail_writes({{0}, {4096}}, EIO);
  // 20 MB of it: errors cluster.
  fail_data_writes(allocation_point(), 40'960, EIO);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.read(64, 8), 2);
  const std::uint64_t retired = rig.table().spare_retired;
  EXPECT_GT(retired, 0U);
  EXPECT_LT(retired, 200U) << "what was not tried is not given up";
  // The next one begins where the last one found room, and meets nothing.
  EXPECT_EQ(rig.write(640, 8, 3), 0);
  EXPECT_EQ(rig.table().spare_retired, retired);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.read(640, 8), 3);
  EXPECT_EQ(rig.table().spare_retired, retired);
}

TEST_F(SpareFaults, Promise4_SixteenBadUnitsInARowFailNoWriteWhateverItsLength) {
  rig.main.fail_writes({{0}, {4096}}, ENODATA);
  fail_data_writes(allocation_point(), 17, ENODATA);
  EXPECT_EQ(rig.write(0, 1024, 2), 0);
  EXPECT_EQ(rig.read(0, 1024), 2);
  EXPECT_EQ(rig.table().remapped, 1024U);
}

TEST_F(SpareFaults, Promise4_WhatIsBadIsRetiredAlsoWhenTheRequestFails) {
  SteppedClock clock;
  rig.stop();
  rig.clock = &clock;
  rig.start();
  rig.main.fail_writes({{0}, {4096}}, EIO);
  const SectorRange bad{allocation_point(), {64}};
  std::vector<Sector> tried;
  rig.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::write || !bad.overlaps(request.range)) return {0};
    clock.advance(std::chrono::seconds(8));
    tried.push_back(request.range.first);
    return {ENODATA};
  });
  // The spare takes eight seconds to fail, and the request has thirty.
  EXPECT_EQ(rig.write(64, 1, 2), EIO);
  EXPECT_LE(tried.size(), 9U);
  const std::uint64_t retired = rig.table().spare_retired;
  EXPECT_GT(retired, 0U);
  EXPECT_EQ(rig.table().remapped, 0U);
  rig.restart();
  EXPECT_EQ(rig.table().spare_retired, retired) << "durable";
  tried.clear();
  int error = EIO;
  for (int i = 0; i < 10 && error != 0; ++i) error = rig.write(64, 1, 2);
  EXPECT_EQ(error, 0);
  std::ranges::sort(tried);
  EXPECT_FALSE(std::ranges::binary_search(tried, bad.first)) << "the same place is not met again";
  EXPECT_EQ(rig.read(64), 2);
  rig.stop();  // before its clock goes
}

TEST(SpareFaultsInAFullTable, Promise4_BadPlacesGiveWayToWhatSomebodyWrote) {
  Rig rig({kMainSize, 512, 4096}, kLargeSpare);
  FakeStore store;
  store.capacity = 1;
  rig.start_with(&store);
  rig.main.fail_writes({{0}, {4096}}, ENODATA);
  const Sector first = rig.data_areas()[0].first;
  rig.spare.fail_writes({first, {1}}, ENODATA);
  EXPECT_EQ(rig.write(64, 1, 2), 0);
  EXPECT_EQ(rig.read(64), 2);
  EXPECT_EQ(store.last.retired.size(), 0U);
  EXPECT_FALSE(rig.engine->conditions().table_full);
  // Nothing is handed out twice meanwhile, and it is recorded when there is room.
  store.capacity = 10;
  EXPECT_EQ(rig.write(640, 1, 3), 0);
  ASSERT_EQ(store.last.retired.size(), 1U);
  EXPECT_EQ(store.last.retired[0].spare().sectors(), (SectorRange{first, {1}}));
  EXPECT_EQ(rig.read(640), 3);
  rig.stop();
}

class RemappedFailing : public ::testing::Test {
 protected:
  // Sectors 64 to 71 are on the spare and hold 2; main has 1 there.
  void SetUp() override {
    rig.start();
    rig.main.fail_writes({{64}, {8}}, EIO);
    ASSERT_EQ(rig.write(64, 8, 2), 0);
    rig.main.clear_faults();
  }
  void fail_once(std::uint64_t sector, int error = EIO) {
    rig.spare.fail_reads(rig.spare_of(sector), error);
    EXPECT_LT(rig.read(sector), 0);
    rig.spare.clear_faults();
  }
  Rig rig{{kMainSize, 512, 4096}, {32'768}};
};
TEST_F(RemappedFailing, Promise2_TheOnlyCopyIsKeptAndMovedWhenItReadsAgain) {
  const SectorRange bad = rig.spare_of(67);
  for (const int error : {ENODATA, EIO}) {
    fail_once(67, error);
    EXPECT_EQ(rig.table().failing, 1U);
    EXPECT_EQ(rig.table().gone, 0U);
    EXPECT_EQ(rig.table().remapped, 8U);
    ASSERT_TRUE(soon([&] { return rig.table().failing == 0; }));
    EXPECT_EQ(rig.read(64, 8), 2);
  }
  EXPECT_NE(rig.spare_of(67), bad);
  EXPECT_EQ(rig.table().spare_retired, 2U);
  EXPECT_EQ(rig.table().remapped, 8U);
  EXPECT_EQ(rig.events.count(EventKind::gone), 0U);
  EXPECT_EQ(rig.events.of(EventKind::lost).size(), 2U);
  EXPECT_EQ(rig.events.of(EventKind::recovered).size(), 2U);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.table().spare_retired, 2U);
}

TEST_F(RemappedFailing, Promise2_ARestartKeepsTheBinding) {
  fail_once(67, ENODATA);
  rig.restart();
  EXPECT_EQ(rig.table().failing, 0U);
  EXPECT_EQ(rig.read(64, 8), 2);
}

TEST_F(RemappedFailing, Promise2_ReadsAreAnErrorAtOnceAndAskNobody) {
  rig.spare.fail_reads(rig.spare_of(67), ENODATA);
  EXPECT_EQ(rig.read(67), -ENODATA) << "when it was asked";
  ASSERT_EQ(rig.engine->failing().size(), 1U);
  EXPECT_EQ(rig.engine->failing()[0].main, (SectorRange{{67}, {1}}));
  EXPECT_EQ(rig.engine->failing()[0].error, ENODATA);
  rig.engine->end_background();
  const std::uint64_t asked = rig.spare.counters().reads + rig.main.counters().reads;
  EXPECT_EQ(rig.read(67), -EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_EQ(rig.spare.counters().reads + rig.main.counters().reads, asked);
  EXPECT_EQ(rig.read(64, 3), 2);
  EXPECT_EQ(rig.read(68, 4), 2);
}

TEST_F(RemappedFailing, Promise4_AWriteOverItHealsAtOnceInAnotherPlace) {
  const SectorRange bad = rig.spare_of(67);
  rig.spare.fail_reads(bad, ENODATA);
  EXPECT_LT(rig.read(67), 0);
  EXPECT_EQ(rig.write(66, 3, 7), 0);
  EXPECT_EQ(rig.table().failing, 0U);
  EXPECT_EQ(rig.read(66, 3), 7);
  EXPECT_EQ(rig.read(64, 2), 2);
  EXPECT_NE(rig.spare_of(67), bad);
  EXPECT_EQ(rig.table().spare_retired, 1U);
  rig.restart();
  EXPECT_EQ(rig.read(66, 3), 7);
}

TEST_F(RemappedFailing, Promise2_WhatReadsAgainServesWhereItIsIfThereIsNoOtherPlace) {
  const SectorRange bad = rig.spare_of(67);
  rig.spare.fail_reads(bad, EIO);
  EXPECT_EQ(rig.read(67), -EIO);
  rig.main.fail_writes({{2048}, {kMainSize.value - 2048}}, ENODATA);
  for (std::uint64_t at = 2048; rig.table().spare_free > 0; at += 512) {
    ASSERT_EQ(rig.write(at, std::min<std::uint64_t>(512, rig.table().spare_free), 5), 0);
  }
  rig.spare.clear_faults();
  ASSERT_TRUE(soon([&] { return rig.table().failing == 0; }));
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.spare_of(67), bad);
}

TEST_F(RemappedFailing, Promise2_ASpareThatIsAwayFailsNothingForLater) {
  rig.spare.fail_reads({{0}, {32'768}}, EIO);
  EXPECT_EQ(rig.read(67), -EIO);
  EXPECT_EQ(rig.table().failing, 0U);
  rig.spare.clear_faults();
  EXPECT_EQ(rig.read(67), 2);
}

// A spare image on a full file system: what was never written there gives ENOSPC.
class SparseSpare : public ::testing::Test {
 protected:
  // Sectors 64 to 71 are lost; main takes them back. Sectors 640 to 647 are on the spare and
  // hold 2.
  void SetUp() override {
    rig.start();
    rig.main.fail_writes({{640}, {8}}, EIO);
    ASSERT_EQ(rig.write(640, 8, 2), 0);
    rig.main.fail_reads({{64}, {8}}, EIO);
    ASSERT_LT(rig.read(64, 8), 0);
    rig.main.clear_faults();
  }
  void refuse(int error) {
    for (const SectorRange& area : rig.data_areas()) rig.spare.fail_writes(area, error);
  }
  Rig rig{{kMainSize, 512, 4096}, {32'768}};
};

TEST_F(SparseSpare, Promise4_ALostSectorIsHealedOnMainWhateverTheSpareGives) {
  std::uint64_t at = 64;
  for (const int error : {ENOSPC, EDQUOT, ENODATA}) {
    refuse(error);
    EXPECT_EQ(rig.write(at, 2, 6), 0);
    EXPECT_EQ(rig.on_main(at), 6);
    rig.spare.clear_faults();
    at += 2;
  }
  EXPECT_EQ(rig.table().lost, 2U);
  EXPECT_EQ(rig.table().spare_retired, 0U);
  rig.restart();
  EXPECT_EQ(rig.read(64, 6), 6);
}

TEST_F(SparseSpare, Promise4_MainTakesBackWhatItsPlaceHasNoRoomFor) {
  refuse(ENOSPC);
  EXPECT_EQ(rig.write(636, 16, 7), 0);
  EXPECT_EQ(rig.read(636, 16), 7);
  EXPECT_EQ(rig.on_main(640), 7);
  EXPECT_EQ(rig.table().remapped, 0U);
}

TEST_F(SparseSpare, WhatMainRefusesTooIsAnErrorThatNamesTheCause) {
  refuse(ENOSPC);
  rig.main.fail_writes({{3000}, {8}}, EIO);
  EXPECT_EQ(rig.write(3000, 8, 7), ENOSPC);
  const auto moved = rig.engine->relocate({{5000}, {8}});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, ErrorCode::no_space);
  EXPECT_NE(moved.error().message().find("file system"), std::string::npos);
  EXPECT_EQ(moved.error().message().find("cable"), std::string::npos);
  EXPECT_EQ(rig.table().spare_retired, 0U);
  EXPECT_FALSE(rig.engine->conditions().spare_full) << "it has free sectors";
  rig.spare.clear_faults();
  EXPECT_EQ(rig.write(3000, 8, 7), 0) << "once there is room";
}

TEST(FullTable, Promise2_ALostSectorStaysAnErrorAndIsRecordedWhenThereIsRoom) {
  Rig rig({kMainSize, 512, 4096}, {32'768});
  FakeStore store;
  store.capacity = 1;
  rig.start_with(&store);
  rig.main.fail_writes({{0}, {512}}, ENODATA);
  ASSERT_EQ(rig.write(64, 8, 2), 0);
  rig.main.fail_reads({{800}, {8}}, ENODATA);
  rig.main.fail_reads({{900}, {8}}, ENODATA);
  for (const std::uint64_t bad : {800U, 900U}) {
    EXPECT_LT(rig.read(bad, 8), 0);
    const std::uint64_t asked = rig.main.counters().reads;
    EXPECT_EQ(rig.read(bad, 8), -EIO);
    EXPECT_EQ(rig.main.counters().reads, asked) << "at once";
  }
  EXPECT_EQ(rig.table().lost, 16U);
  EXPECT_EQ(store.last.extents.size(), 1U);
  EXPECT_TRUE(rig.engine->conditions().table_full);
  EXPECT_EQ(rig.events.count(EventKind::lost), 2U);
  EXPECT_EQ(rig.events.count(EventKind::table_full), 1U);
  // One more fits: with the next commit, whoever asks for that.
  store.capacity = 2;
  EXPECT_TRUE(rig.engine->commit_record([](format::Records&, const table::Table&) {}));
  EXPECT_EQ(store.last.extents.size(), 2U);
  EXPECT_TRUE(rig.engine->conditions().table_full);
  // A write ends a lost sector as ever, on main, since the table has no room for another place.
  rig.main.clear_faults();
  EXPECT_EQ(rig.write(800, 8, 3), 0);
  EXPECT_EQ(rig.write(900, 8, 3), 0);
  EXPECT_EQ(rig.read(800, 8), 3);
  EXPECT_EQ(rig.table().lost, 0U);
  EXPECT_EQ(store.last.extents.size(), rig.table().extents);
  EXPECT_FALSE(rig.engine->conditions().table_full);
  rig.stop();
}

TEST(FullTable, Promise1_AGoneSectorIsRecordedBeforeALostOne) {
  Rig rig({kMainSize, 512, 4096}, {32'768});
  FakeStore store;
  store.capacity = 1;
  rig.start_with(&store);
  rig.main.fail_reads({{800}, {8}}, ENODATA);
  EXPECT_LT(rig.read(800, 8), 0);
  ASSERT_EQ(store.last.extents.size(), 1U);
  rig.make_gone(64);
  ASSERT_EQ(store.last.extents.size(), 1U);
  EXPECT_EQ(store.last.extents[0].state(), State::gone);
  EXPECT_EQ(rig.table().lost, 8U);
  EXPECT_EQ(rig.read(800, 8), -EIO) << "for as long as the set runs";
  rig.stop();
}

// The second of two writes to one place finds the first one's place, in the same change: it must
// not be told that all is well if that change comes to nothing.
TEST(SpareChange, Promise3_WritesThatShareAPlaceShareItsFate) {
  Rig rig;
  rig.start();
  const std::vector<SectorRange> metadata = rig.metadata_areas();
  std::atomic<bool> go_on{false};
  std::atomic<int> data_writes{0};
  std::atomic<bool> fail_flush{false};
  rig.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::flush) return {fail_flush && data_writes > 1 ? EIO : 0};
    const bool is_data = std::ranges::none_of(
        metadata, [&](const SectorRange& area) { return area.overlaps(request.range); });
    if (request.kind != sim::Request::Kind::write || !is_data) return {};
    ++data_writes;
    while (!go_on) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  });
  rig.main.fail_writes({{4'096}, {8}}, ENODATA);
  rig.main.fail_writes({{8'192}, {8}}, ENODATA);
  std::thread before([&] { (void)rig.write(8'192, 8, 3); });
  EXPECT_TRUE(soon([&] { return data_writes > 0; }));
  std::array<int, 2> errors{};
  std::thread first([&] { errors[0] = rig.write(4'096, 8, 66); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::thread second([&] { errors[1] = rig.write(4'096, 8, 77); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  fail_flush = true;
  go_on = true;
  before.join();
  first.join();
  second.join();
  const int now = rig.read(4'096, 8);
  EXPECT_TRUE(errors[1] != 0 || now == 77) << errors[1] << ", reads " << now;
  EXPECT_TRUE(errors[0] != 0 || now == 66 || errors[1] == 0) << errors[0] << ", reads " << now;
}

}  // namespace
}  // namespace dmremap::remap
