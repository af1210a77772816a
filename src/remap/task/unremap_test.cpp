// SPDX-License-Identifier: GPL-2.0-or-later
// The way back to main: data returns only verified, nothing else changes, and a spare sector is
// free only when nobody can still read it.
#include "remap/task/unremap.hpp"

#include <condition_variable>
#include <thread>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::State;
using sim::Request;

class Unremap : public ::testing::Test {
 protected:
  // Sectors 100 to 115 are remapped and hold 7; main itself holds 1 there.
  void SetUp() override { start(); }
  void start() {
    rig.start();
    ASSERT_TRUE(rig.engine->relocate({{100}, {16}}));
    ASSERT_EQ(rig.write(100, 16, 7), 0);
    ASSERT_EQ(rig.on_main(100), 1);
    capacity = rig.table().spare_capacity;
    ASSERT_EQ(rig.table().spare_free, capacity - 16);
  }
  UnremapReport back(std::uint64_t first, std::uint64_t count) {
    const auto done = rig.engine->unremap({{first}, {count}});
    EXPECT_TRUE(done) << done.error().message();
    return done.value_or(UnremapReport{});
  }
  void expect_all_kept(const UnremapReport& done, int error) {
    EXPECT_EQ(done.returned.value, 0U);
    EXPECT_EQ(done.kept.value, 16U);
    EXPECT_EQ(done.first_kept, Sector{100});
    EXPECT_EQ(done.error, error);
    EXPECT_EQ(rig.table().remapped, 16U);
    EXPECT_EQ(rig.table().spare_free, capacity - 16);
    EXPECT_EQ(rig.read(100, 16), 7);
    rig.main.set_hook({});
    rig.main.clear_faults();
    rig.restart();
    EXPECT_EQ(rig.read(100, 16), 7) << "after a restart";
  }

  // The spare is smaller than main: it can be filled up.
  Rig rig{{kMainSize, 512, 4096}, {32'768}};
  std::uint64_t capacity = 0;
};

TEST_F(Unremap, Promise1_MainServesTheSameDataAgain) {
  const UnremapReport done = back(90, 40);
  EXPECT_EQ(done.returned.value, 16U);
  EXPECT_EQ(done.kept.value, 0U);
  EXPECT_EQ(done.untouched.value, 24U);
  EXPECT_EQ(rig.read(100, 16), 7);
  EXPECT_EQ(rig.on_main(100), 7);
  EXPECT_EQ(rig.on_main(115), 7);
  EXPECT_EQ(rig.on_main(99), 1);
  EXPECT_EQ(rig.on_main(116), 1);
  EXPECT_EQ(rig.table().remapped, 0U);
  EXPECT_EQ(rig.events.of(format::EventKind::recovered).back().main, (SectorRange{{100}, {16}}));
}

TEST_F(Unremap, Promise3_IsRememberedAndSurvivesAPowerCut) {
  back(100, 16);
  rig.stop();
  rig.main.power_cut([](const Request&, Sector) { return false; });
  rig.spare.power_cut([](const Request&, Sector) { return false; });
  rig.start();
  EXPECT_EQ(rig.table().remapped, 0U);
  EXPECT_EQ(rig.read(100, 16), 7);
}

TEST_F(Unremap, TheSpareSectorsAreFreeAgainAndNotRetired) {
  back(100, 16);
  EXPECT_EQ(rig.table().spare_free, capacity);
  EXPECT_EQ(rig.table().spare_retired, 0U);
  rig.restart();
  EXPECT_EQ(rig.table().spare_free, capacity);
}

TEST_F(Unremap, PartOfAnExtentComesBackAlone) {
  EXPECT_EQ(back(104, 3).returned.value, 3U);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{100}, {4}}, {{107}, {9}}}));
  EXPECT_EQ(rig.read(100, 16), 7);
}

TEST_F(Unremap, MoreThanOneChunkComesBack) {
  ASSERT_TRUE(rig.engine->relocate({{8000}, {5000}}));
  EXPECT_EQ(back(0, kMainSize.value).returned.value, 5016U);
  EXPECT_EQ(rig.table().spare_free, capacity);
}

TEST_F(Unremap, LostGoneSuspectAndGoodSectorsAreNotTouched) {
  rig.make_gone(130);
  rig.main.fail_reads({{120}, {8}}, EIO);
  EXPECT_LT(rig.read(120, 8), 0);
  ASSERT_TRUE(rig.engine->mark_known_bad({{}, {{{140}, {8}}}}, false));
  EXPECT_EQ(back(90, 60).returned.value, 16U);
  EXPECT_EQ(rig.in_state(State::gone), (std::vector<SectorRange>{{{130}, {1}}}));
  EXPECT_EQ(rig.in_state(State::lost), (std::vector<SectorRange>{{{120}, {8}}}));
  EXPECT_EQ(rig.in_state(State::suspect), (std::vector<SectorRange>{{{140}, {8}}}));
  EXPECT_EQ(rig.on_main(120), 1);
}

TEST_F(Unremap, WhatMainStillRefusesStaysRemapped) {
  rig.main.fail_writes({{104}, {8}}, EIO);
  const UnremapReport done = back(100, 16);
  EXPECT_EQ(done.returned.value, 8U);
  EXPECT_EQ(done.kept.value, 8U);
  EXPECT_EQ(done.first_kept, Sector{104});
  EXPECT_EQ(done.error, EIO);
  EXPECT_EQ(rig.in_state(State::remapped), (std::vector<SectorRange>{{{104}, {8}}}));
  EXPECT_EQ(rig.read(100, 16), 7);
}

TEST_F(Unremap, WhatMainCannotReadBackStaysRemapped) {
  rig.main.fail_reads({{100}, {16}}, EIO);
  expect_all_kept(back(100, 16), EIO);
}

TEST_F(Unremap, Promise1_WhatMainReadsBackDifferentStaysRemapped) {
  // The drive acknowledges and drops it.
  rig.main.set_landing([](const Request&) { return std::nullopt; });
  const UnremapReport done = back(100, 16);
  rig.main.set_landing({});
  expect_all_kept(done, 0);
}

TEST_F(Unremap, OneWrongSectorKeepsOnlyItself) {
  bool once = true;
  rig.main.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::flush && std::exchange(once, false)) {
      rig.main.poke({109}, pattern(1, 99));
    }
    return {};
  });
  const UnremapReport done = back(100, 16);
  rig.main.set_hook({});
  EXPECT_EQ(done.returned.value, 15U);
  EXPECT_EQ(done.first_kept, Sector{109});
  EXPECT_EQ(rig.read(100, 16), 7);
}

TEST_F(Unremap, Promise3_AFailedFlushKeepsTheMapping) {
  rig.main.set_hook([](const Request& request) -> io::IoStatus {
    return {request.kind == Request::Kind::flush ? EIO : 0};
  });
  expect_all_kept(back(100, 16), EIO);
}

TEST_F(Unremap, WhatTheSpareCannotReadIsNotWrittenToMain) {
  rig.spare.fail_reads(rig.spare_of(103), EIO);
  const UnremapReport done = back(100, 16);
  EXPECT_EQ(done.first_kept, Sector{103});
  EXPECT_GE(done.returned.value, 8U);
  EXPECT_EQ(rig.on_main(103), 1);
  EXPECT_EQ(rig.table().remapped, done.kept.value);
}

TEST_F(Unremap, Promise6_AMainThatIsNotThereTripsAndKeepsAll) {
  rig.main.set_hook([](const Request& request) -> io::IoStatus {
    return {request.kind == Request::Kind::write ? ENODEV : 0};
  });
  const auto done = rig.engine->unremap({{100}, {16}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::tripped);
  EXPECT_EQ(rig.table().remapped, 16U);
  EXPECT_EQ(rig.engine->unremap({{100}, {16}}).error().code, ErrorCode::tripped);
}

TEST_F(Unremap, AReadOnlySetRefuses) {
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(rig.engine->unremap({{100}, {16}}).error().code, ErrorCode::read_only);
  EXPECT_EQ(rig.read(100, 16), 7);
  EXPECT_EQ(rig.on_main(100), 1);
}

TEST_F(Unremap, NothingIsFreeUntilTheCommitIsAcknowledged) {
  rig.content.extents = rig.engine->extents();
  rig.stop();
  FakeStore store;
  rig.start_with(&store);
  store.fail_with = ErrorCode::metadata_commit;
  const auto done = rig.engine->unremap({{100}, {16}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::metadata_commit);
  EXPECT_EQ(rig.table().remapped, 16U);
  EXPECT_EQ(rig.table().spare_free, capacity - 16);
  EXPECT_EQ(rig.read(100, 16), 7);
  store.fail_with = ErrorCode::internal;
  EXPECT_EQ(back(100, 16).returned.value, 16U);
  EXPECT_EQ(rig.table().spare_free, capacity);
  rig.stop();
}

// Lets one request of a device wait in its hook until it is told to go on.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    arrived_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void wait_for_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return arrived_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false;
  bool open_ = false;
};

TEST_F(Unremap, Promise1_ASpareSectorIsNotFreeWhileAReadCanStillNameIt) {
  const SectorRange place = rig.spare_of(100);
  Gate flushing;
  Gate reading;
  std::atomic<bool> flushed{false};
  std::atomic<bool> blocked{false};
  rig.main.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::flush && !flushed.exchange(true)) flushing.wait();
    return {};
  });
  rig.spare.set_hook([&](const Request& request) -> io::IoStatus {
    const bool reader = request.kind == Request::Kind::read && request.range == place;
    if (reader && !blocked.exchange(true)) reading.wait();
    return {};
  });
  std::thread way_back([&] { EXPECT_EQ(back(100, 16).returned.value, 16U); });
  flushing.wait_for_arrival();
  // It began while the sector was remapped, and is slow.
  int seen = 0;
  std::thread reader([&] { seen = rig.read(100, 1); });
  reading.wait_for_arrival();
  flushing.open();
  way_back.join();
  EXPECT_EQ(rig.table().spare_free, capacity - 16);
  // All that is free is used up; these 16 must not be among it.
  EXPECT_TRUE(rig.engine->relocate({{2048}, {capacity - 16}}));
  EXPECT_EQ(rig.engine->relocate({{0}, {1}}).error().code, ErrorCode::spare_full);
  reading.open();
  reader.join();
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(rig.engine->relocate({{0}, {16}})) << "now they are free";
  EXPECT_EQ(rig.read(2048, 64), 1);
}

TEST_F(Unremap, AWriteMeanwhileWaitsAndIsNotOvertaken) {
  Gate gate;
  std::atomic<bool> blocked{false};
  rig.main.set_hook([&](const Request& request) -> io::IoStatus {
    if (request.kind == Request::Kind::flush && !blocked.exchange(true)) gate.wait();
    return {};
  });
  std::thread way_back([&] { EXPECT_EQ(back(100, 16).returned.value, 16U); });
  gate.wait_for_arrival();
  std::atomic<bool> written{false};
  std::thread writer([&] {
    EXPECT_EQ(rig.write(104, 4, 9), 0);
    written = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(written);
  EXPECT_EQ(rig.read(104, 4), 7) << "reads go on";
  gate.open();
  way_back.join();
  writer.join();
  EXPECT_EQ(rig.read(104, 4), 9);
  EXPECT_EQ(rig.on_main(104), 9);
  EXPECT_EQ(rig.table().remapped, 0U);
}

TEST_F(Unremap, RoomIsMadeInAFullSpare) {
  ASSERT_TRUE(rig.engine->relocate({{2048}, {capacity - 16}}));
  EXPECT_FALSE(rig.engine->relocate({{0}, {1}}));
  EXPECT_TRUE(rig.engine->conditions().spare_full);
  EXPECT_EQ(back(100, 16).returned.value, 16U);
  EXPECT_FALSE(rig.engine->conditions().spare_full);
  EXPECT_TRUE(rig.engine->relocate({{0}, {16}}));
}

}  // namespace
}  // namespace dmremap::remap
