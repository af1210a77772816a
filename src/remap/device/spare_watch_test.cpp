// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine makes of a spare that is away or refuses, of a main that takes no writes, and of
// devices that are seen to have vanished or changed their size.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

class SpareWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.spare_look_interval_ms = 1;
    rig.start();
  }
  [[nodiscard]] bool soon_in(SpareState state) {
    return soon([&] { return rig.engine->conditions().spare == state; });
  }
  void fail_all_of_the_spare(int error) {
    rig.spare.fail_writes({{0}, rig.spare.geometry().size}, error);
  }
  void unplug_spare() {
    rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  }
  void replug_spare() { rig.spare.set_hook({}); }

  Rig rig;
};

TEST_F(SpareWatchTest, Promise13_ASpareThatRefusesWritesIsToldUntilItTakesThem) {
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  for (const int error : {EIO, ENOSPC, EROFS, EPERM}) {
    fail_all_of_the_spare(error);
    EXPECT_NE(rig.write(64, 8, 2), 0);
    ASSERT_TRUE(soon_in(SpareState::refuses)) << error;
    EXPECT_NE(rig.engine->conditions().spare_reason, "");
    EXPECT_FALSE(rig.engine->conditions().read_only);
    rig.spare.clear_faults();
    ASSERT_TRUE(soon_in(SpareState::answers)) << error;
  }
  // What had to be refused is possible again, without a restart.
  EXPECT_EQ(rig.write(64, 8, 3), 0);
  EXPECT_EQ(rig.read(64, 8), 3);
}

TEST_F(SpareWatchTest, Promise13_ASpareThatIsAwayIsToldUntilItIsBack) {
  rig.main.fail_reads({{128}, {8}}, ENODATA);
  unplug_spare();
  // Not even what is lost can be noted.
  EXPECT_LT(rig.read(128, 8), 0);
  ASSERT_TRUE(soon_in(SpareState::away));
  EXPECT_EQ(rig.engine->conditions().spare_reason, "the spare does not answer");
  EXPECT_FALSE(rig.engine->conditions().read_only);
  replug_spare();
  ASSERT_TRUE(soon_in(SpareState::answers));
  rig.main.clear_faults();
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
}

TEST_F(SpareWatchTest, Promise13_ASpareIsWatchedOnceTheBackgroundHasBegunAgain) {
  rig.engine->end_background();
  rig.engine->begin_background();
  rig.main.fail_reads({{128}, {8}}, ENODATA);
  unplug_spare();
  EXPECT_LT(rig.read(128, 8), 0);
  ASSERT_TRUE(soon_in(SpareState::away));
  rig.engine->end_background();
  replug_spare();
  rig.engine->begin_background();
  EXPECT_TRUE(soon_in(SpareState::answers));
}

TEST_F(SpareWatchTest, ASpareWithoutASignOfTroubleIsLeftAloneAfterItsFirstTrial) {
  ASSERT_TRUE(soon([&] { return rig.spare.counters().flushes.load() > 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::uint64_t steps = rig.spare.steps();
  const std::uint64_t reads = rig.spare.counters().reads.load();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(rig.spare.steps(), steps);
  EXPECT_EQ(rig.spare.counters().reads.load(), reads);
}

// A trial writes where the next remap goes, and nowhere else.
TEST_F(SpareWatchTest, Promise1_ATrialHarmsNothing) {
  rig.main.fail_writes({{64}, {64}}, ENODATA);
  ASSERT_EQ(rig.write(64, 32, 2), 0);
  const SectorRange place = rig.spare_of(64);
  const std::uint64_t reads = rig.spare.counters().reads.load();
  // A read error of the spare that passes is a sign.
  rig.spare.fail_writes({place.first, {32}}, ENODATA);
  ASSERT_EQ(rig.write(64, 1, 3), 0);
  ASSERT_TRUE(soon([&] { return rig.spare.counters().reads.load() > reads + 8; }));
  rig.spare.clear_faults();
  EXPECT_EQ(rig.read(64), 3);
  EXPECT_EQ(rig.read(65, 31), 2);
  ASSERT_EQ(rig.write(96, 32, 4), 0);
  EXPECT_EQ(rig.read(96, 32), 4);
  EXPECT_EQ(rig.read(65, 31), 2);
  rig.restart();
  EXPECT_EQ(rig.read(65, 31), 2);
  EXPECT_EQ(rig.read(96, 32), 4);
}

// A drive that was gone for a moment may have lost what was in its cache; the next flush says so.
TEST_F(SpareWatchTest, Promise3_AfterASpareWasAwayAFlushFailsOnceIfAnythingWasUnflushed) {
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  ASSERT_EQ(rig.write(64, 8, 2), 0);
  ASSERT_TRUE(rig.engine->flush().ok());
  // To the spare, and not flushed: not by the trial after the start either, which may go on now.
  rig.spare.set_hook([](const sim::Request& request) -> io::IoStatus {
    return request.kind == sim::Request::Kind::flush ? io::IoStatus{ENODEV} : io::kIoOk;
  });
  ASSERT_EQ(rig.write(64, 8, 3), 0);
  unplug_spare();
  EXPECT_NE(rig.write(64, 8, 4), 0);
  ASSERT_TRUE(soon_in(SpareState::away));
  replug_spare();
  ASSERT_TRUE(soon_in(SpareState::answers));
  EXPECT_FALSE(rig.engine->flush().ok());
  EXPECT_TRUE(rig.engine->flush().ok());
}

// Nobody looks at its spare, where the newest version of eight sectors lies and is not flushed.
class UnseenRig : public Rig {
 public:
  UnseenRig() {
    start();
    main.fail_writes({{64}, {8}}, ENODATA);
    EXPECT_EQ(write(64, 8, 2), 0);
    EXPECT_TRUE(engine->flush().ok());
    EXPECT_EQ(write(64, 8, 3), 0);
  }
  void expect_one_flush_to_fail() {
    spare.set_hook({});
    EXPECT_FALSE(engine->flush().ok());
    EXPECT_TRUE(engine->flush().ok());
  }
};

// Nobody has looked at it meanwhile: it was away for as long as one request takes.
TEST_F(SpareWatchTest, Promise3_AFlushFailsOnceAfterASpareWasAwayUnseen) {
  UnseenRig unseen;
  unseen.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_NE(unseen.write(64, 8, 4), 0);
  unseen.expect_one_flush_to_fail();
}

// The kernel says no more than EIO of a disk that it has set offline.
TEST_F(SpareWatchTest, Promise3_AFlushFailsOnceAfterASpareDidNotAnswerUnseen) {
  UnseenRig unseen;
  unseen.spare.set_hook([](const sim::Request&) { return io::IoStatus{EIO}; });
  EXPECT_LT(unseen.read(64, 8), 0);
  unseen.expect_one_flush_to_fail();
}

// A write that was under way as the spare was seen to be away is not acknowledged: what it wrote
// may be lost, and the flush that failed for it may be over.
TEST_F(SpareWatchTest, Promise3_AWriteDuringWhichTheSpareWasAwayFails) {
  Rig unseen;
  unseen.start();
  unseen.main.fail_writes({{64}, {64}}, ENODATA);
  ASSERT_EQ(unseen.write(64, 64, 2), 0);
  const SectorRange other = unseen.spare_of(96);
  unseen.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.range.overlaps(other)) return {ENODEV};
    EXPECT_LT(unseen.read(96), 0);
    return io::kIoOk;
  });
  EXPECT_NE(unseen.write(64, 1, 3), 0);
  unseen.spare.set_hook({});
  EXPECT_EQ(unseen.write(64, 1, 4), 0);
}

// That such a write fails is no word of another absence: else, where writes overlap all the time,
// each would fail the next.
TEST_F(SpareWatchTest, Promise4_AWriteThatBeganAfterTheSpareWasAwayIsTaken) {
  Rig busy;
  busy.start();
  busy.main.fail_writes({{64}, {64}}, ENODATA);
  ASSERT_EQ(busy.write(64, 64, 2), 0);
  const SectorRange away = busy.spare_of(120);
  const SectorRange second = busy.spare_of(72);
  std::atomic<int> first_error = 0;
  std::atomic<bool> first_under_way = false;
  std::atomic<bool> second_under_way = false;
  busy.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.range.overlaps(away)) return {ENODEV};
    if (request.range.overlaps(second)) {
      second_under_way = true;
      EXPECT_TRUE(soon([&] { return first_error.load() != 0; }));
    } else if (request.kind == sim::Request::Kind::write && !first_under_way.exchange(true)) {
      EXPECT_TRUE(soon([&] { return second_under_way.load(); }));
    }
    return {};
  });
  std::thread first([&] {
    const int error = busy.write(64, 1, 3);
    first_error = error == 0 ? -1 : error;
  });
  EXPECT_TRUE(soon([&] { return first_under_way.load(); }));
  EXPECT_LT(busy.read(120), 0);
  EXPECT_EQ(busy.write(72, 1, 4), 0);
  first.join();
  EXPECT_GT(first_error, 0) << "it was under way";
  busy.spare.set_hook({});
  EXPECT_EQ(busy.read(72), 4);
}

// Only the metadata met it.
TEST_F(SpareWatchTest, Promise3_AFlushFailsOnceAfterASpareWasAwayDuringACommit) {
  UnseenRig unseen;
  unseen.main.fail_reads({{128}, {8}}, ENODATA);
  std::atomic<int> refused = 0;
  unseen.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::write) return {};
    ++refused;
    return {ENODEV};
  });
  EXPECT_LT(unseen.read(128), 0);
  EXPECT_GT(refused, 0);
  unseen.expect_one_flush_to_fail();
}

TEST_F(SpareWatchTest, AfterASpareWasAwayAFlushIsGoodIfNothingWasUnflushed) {
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  ASSERT_EQ(rig.write(64, 8, 2), 0);
  ASSERT_TRUE(rig.engine->flush().ok());
  unplug_spare();
  EXPECT_NE(rig.write(64, 8, 4), 0);
  ASSERT_TRUE(soon_in(SpareState::away));
  replug_spare();
  ASSERT_TRUE(soon_in(SpareState::answers));
  EXPECT_TRUE(rig.engine->flush().ok());
}

TEST_F(SpareWatchTest, Promise6_AMainThatTakesNoWritesHasThemOnTheSpareAndSaysSo) {
  for (const int error : {EPERM, EROFS}) {
    rig.main.fail_writes({{0}, kMainSize}, error);
    EXPECT_EQ(rig.write(64, 16, 2), 0);
    EXPECT_EQ(rig.read(64, 16), 2);
    EXPECT_EQ(rig.on_main(64), 1);
    EXPECT_TRUE(rig.engine->conditions().main_read_only);
    EXPECT_FALSE(rig.engine->conditions().tripped);
    EXPECT_EQ(rig.engine->write_zeroes({{256}, {64}}).error, 0);
    EXPECT_EQ(rig.read(256, 64), 0);
    rig.main.clear_faults();
    rig.engine->note_devices({});
    rig.engine->note_devices({});
    EXPECT_FALSE(rig.engine->conditions().main_read_only);
    ASSERT_EQ(rig.engine->unremap({{0}, {1024}})->returned.value, 80U);
    ASSERT_EQ(rig.write(64, 16, 1), 0);
  }
}

TEST_F(SpareWatchTest, Promise6_AMainThatNeitherReadsNorTakesWritesRemapsNothing) {
  rig.main.fail_writes({{0}, kMainSize}, EPERM);
  rig.main.fail_reads({{0}, kMainSize}, EIO);
  EXPECT_NE(rig.write(64, 16, 2), 0);
  EXPECT_EQ(rig.table().remapped, 0U);
  EXPECT_FALSE(rig.engine->conditions().main_read_only);
}

TEST_F(SpareWatchTest, Promise13_AMainThatIsSeenToBeGoneOrToHaveShrunkTrips) {
  for (const bool gone : {true, false}) {
    DeviceNews news;
    (gone ? news.main_absence : news.main_resize) = "main is not what it was";
    news.main_shrank = !gone;
    rig.engine->note_devices(news);
    EXPECT_TRUE(rig.engine->conditions().tripped);
    EXPECT_EQ(rig.engine->conditions().trip_reason, "main is not what it was");
    EXPECT_NE(rig.write(64, 8, 2), 0);
    EXPECT_LT(rig.read(64, 8), 0);
    EXPECT_EQ(rig.table().lost + rig.table().remapped, 0U);
    rig.restart();
  }
}

TEST_F(SpareWatchTest, Promise13_ASpareThatShrankIsNotWrittenTo) {
  // The trial at the start writes.
  ASSERT_TRUE(soon([&] { return rig.spare.counters().flushes.load() > 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  DeviceNews news;
  news.spare_shrank = true;
  news.spare_resize = "the spare shrank";
  rig.engine->note_devices(news);
  const std::vector<std::byte> before = rig.spare.contents();
  rig.main.fail_writes({{64}, {8}}, ENODATA);
  EXPECT_NE(rig.write(64, 8, 2), 0);
  EXPECT_EQ(rig.spare.contents(), before);
  EXPECT_EQ(rig.engine->conditions().spare, SpareState::refuses);
  rig.engine->note_devices({});
  EXPECT_EQ(rig.write(64, 8, 2), 0);
  EXPECT_TRUE(soon_in(SpareState::answers));
}

}  // namespace
}  // namespace dmremap::remap
