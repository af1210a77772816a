// SPDX-License-Identifier: GPL-2.0-or-later
// The engine with a model of the kernel target beside it (tests/rig/model_target.hpp).
#include "frontend/dm/target_regions.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "tests/rig/engine_rig.hpp"
#include "tests/rig/model_target.hpp"

namespace dmremap::dm {
namespace {

using remap::pattern;
using remap::Rig;
using remap::soon;

// Main has several regions; what is at 5000 lies in the third.
constexpr SectorCount kMain{32'768};
constexpr Sector kAt{5000};

class TargetRegionsTest : public testing::Test {
 protected:
  void SetUp() override {
    rig.direct = &regions;
    rig.start(&reopener);
    target.serve_by(*rig.engine);
    ASSERT_TRUE(attach());
  }
  void TearDown() override { rig.stop(); }
  Result<void> attach() {
    return regions.attach([this](const std::string& message) { return target.answer(message); });
  }
  // As the thread does, at once.
  void clear() {
    if (!started) {
      regions.start([this](SectorRange range) { return rig.engine->may_go_direct(range); });
      regions.stop();
      started = true;
    }
    regions.clear_clean();
  }
  int write(Sector at, int fill) { return target.write(at, pattern(8, fill)).error; }
  int read(Sector at) {
    auto out = pattern(8, 0xee);
    const io::IoStatus status = target.read(at, out);
    return status.ok() ? std::to_integer<int>(out[0]) : -status.error;
  }

  // As the engine does when it looks for main.
  [[nodiscard]] bool is_led() {
    regions.set_reach(TargetRegions::Reach::elsewhere);
    return soon([&] { return rig.engine->may_go_direct({{0}, {8}}); });
  }

  remap::Reopener reopener;
  Rig rig{{kMain, 512, 4096}};
  ModelTarget target{rig.main, kMain};
  TargetRegions regions{kMain};
  bool started = false;
};

TEST_F(TargetRegionsTest, LetsThroughWhatIsClean) {
  EXPECT_EQ(write(kAt, 5), 0);
  EXPECT_EQ(target.sent_to_main(), 0U);
  clear();
  EXPECT_FALSE(target.is_marked(kAt));
  EXPECT_EQ(read(kAt), 5);
  EXPECT_EQ(target.sent_to_main(), 1U);
}

TEST_F(TargetRegionsTest, Rule1_NothingIsConcludedBeforeWhatIsUnderWayHasEnded) {
  clear();
  target.begin(kAt);
  std::atomic<bool> done{false};
  std::thread relocation([&] {
    EXPECT_TRUE(rig.engine->relocate({kAt, {8}}));
    done = true;
  });
  EXPECT_TRUE(soon([&] { return target.is_marked(kAt); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(done);
  // It lands now: it is what is moved.
  EXPECT_TRUE(rig.main.write(kAt, pattern(8, 7)).ok());
  target.end(kAt);
  relocation.join();
  EXPECT_EQ(read(kAt), 7);
}

TEST_F(TargetRegionsTest, Rule2_WhatBecomesBadIsMarkedBeforeTheCommit) {
  clear();
  bool was_marked = false;
  rig.events.on_records = [&](format::Records&) { was_marked = target.is_marked(kAt); };
  rig.main.fail_writes({kAt, {8}}, ENODATA);
  EXPECT_EQ(write(kAt, 9), 0);
  EXPECT_TRUE(was_marked);
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  EXPECT_EQ(read(kAt), 9);
}

TEST_F(TargetRegionsTest, Rule2_NoCommitWithoutTheMark) {
  clear();
  rig.main.fail_writes({kAt, {8}}, ENODATA);
  target.refused = "mark";
  EXPECT_EQ(write(kAt, 9), EIO);
  EXPECT_EQ(rig.table().remapped, 0U);
  target.refused.clear();
  EXPECT_EQ(write(kAt, 9), 0);
  EXPECT_EQ(read(kAt), 9);
}

TEST_F(TargetRegionsTest, Rule3_WhatBecomesGoodIsCleared) {
  ASSERT_TRUE(rig.engine->relocate({kAt, {8}}));
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  ASSERT_TRUE(rig.engine->unremap({kAt, {8}}));
  clear();
  EXPECT_FALSE(target.is_marked(kAt));
}

// As Rig::make_gone, with a write that the engine has not seen.
TEST_F(TargetRegionsTest, Rule4_WhatWentPastIsReadBackWhenAFlushFails) {
  clear();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(write(kAt, 99), 0);
  EXPECT_EQ(target.sent_to_main(), 1U);
  EXPECT_TRUE(target.is_dirty(kAt));
  rig.main.fail_reads({kAt, {1}}, EIO);
  rig.main.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(target.flush().error, EIO);
  rig.main.set_hook({});
  rig.main.clear_faults();
  EXPECT_FALSE(target.is_dirty(kAt));
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(read(kAt), -EIO);
}

TEST_F(TargetRegionsTest, Rule4_NoFlushSucceedsUntilThatIsDone) {
  clear();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(write(kAt, 99), 0);
  rig.main.fail_reads({kAt, {1}}, EIO);
  rig.main.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  target.refused = "epoch";
  EXPECT_EQ(target.flush().error, EIO);
  rig.main.set_hook({});
  // Main flushes well by now, and has lost it all the same.
  EXPECT_TRUE(target.is_dirty(kAt));
  target.refused.clear();
  EXPECT_EQ(target.flush().error, EIO);
  rig.main.clear_faults();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(read(kAt), -EIO);
}

class Answer final : public remap::Completion {
 public:
  void complete(io::IoStatus status) override {
    error = status.error;
    done = true;
  }
  std::atomic<int> error{-1};
  std::atomic<bool> done{false};
};

TEST_F(TargetRegionsTest, Rule6_WhatMainHasFailedIsNotTriedAsAWholeAgain) {
  const SectorRange range{kAt, {64}};
  auto out = pattern(64, 0xee);
  Answer answer;
  const remap::Request request{
      .kind = remap::Request::Kind::read, .range = range, .out = out, .done = &answer};
  // In a marked region it may be new.
  {
    auto direct = rig.engine->begin(request);
    ASSERT_TRUE(direct);
    const io::IoStatus status = issue(*direct);
    EXPECT_TRUE(rig.engine->finish(std::move(*direct), status));
  }
  clear();
  std::atomic<bool> as_a_whole{false};
  rig.main.set_hook([&](const sim::Request& one) {
    if (one.kind == sim::Request::Kind::read && one.range == range) as_a_whole = true;
    return io::IoStatus{};
  });
  EXPECT_FALSE(rig.engine->begin(request));
  EXPECT_TRUE(soon([&] { return answer.done.load(); }));
  rig.main.set_hook({});
  EXPECT_EQ(answer.error, 0);
  EXPECT_FALSE(as_a_whole);
  EXPECT_EQ(rig.engine->counts().main_read_errors, 1U);
}

TEST_F(TargetRegionsTest, KeepsWhatTheContentsOfAreKnown) {
  regions.keep({kAt, {8}});
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  EXPECT_FALSE(target.is_marked({0}));
}

TEST_F(TargetRegionsTest, ClearsNothingWhileAChangeIsUnderWay) {
  regions.begin_change();
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  regions.end_change();
  clear();
  EXPECT_FALSE(target.is_marked(kAt));
}

TEST_F(TargetRegionsTest, MarksAgainWhatItMayHaveCleared) {
  target.refused = "clear";
  clear();
  target.refused.clear();
  EXPECT_FALSE(target.is_marked(kAt));
  EXPECT_TRUE(regions.withhold({kAt, {8}}));
  EXPECT_TRUE(target.is_marked(kAt));
}

TEST_F(TargetRegionsTest, GoesOnWithAnotherTable) {
  clear();
  target.exchange();
  EXPECT_TRUE(regions.withhold({kAt, {8}}));
  EXPECT_TRUE(regions.drain({kAt, {8}}, system_clock(), system_clock().monotonic_ns()));
  clear();
  EXPECT_FALSE(target.is_marked(kAt));
}

TEST_F(TargetRegionsTest, TellsThatSomethingWasWritten) {
  clear();
  const std::uint64_t before = rig.engine->counts().writes;
  EXPECT_EQ(rig.engine->counts().writes, before);
  EXPECT_EQ(write(kAt, 5), 0);
  EXPECT_NE(rig.engine->counts().writes, before);
  // One that is under way changes it when it ends.
  target.begin(kAt);
  const auto settled = rig.engine->settled_writes();
  ASSERT_TRUE(settled);
  target.end(kAt);
  EXPECT_NE(rig.engine->counts().writes, *settled);
}

TEST_F(TargetRegionsTest, TellsWhetherTheHeadOfMainWasWritten) {
  clear();
  std::uint64_t before = rig.engine->head_writes();
  EXPECT_EQ(write(kAt, 5), 0);
  EXPECT_EQ(rig.engine->head_writes(), before) << "elsewhere";
  EXPECT_EQ(write({0}, 5), 0);
  EXPECT_NE(rig.engine->head_writes(), before);
  before = rig.engine->head_writes();
  EXPECT_EQ(write(kAt, 6), 0);
  EXPECT_EQ(rig.engine->head_writes(), before);
  // Who counts all writes meanwhile takes none of them away.
  EXPECT_EQ(write({0}, 7), 0);
  (void)rig.engine->counts();
  EXPECT_NE(rig.engine->head_writes(), before);
}

// Everything that the engine cannot answer like main does is withheld at once.
TEST_F(TargetRegionsTest, WithholdsAllWhenMainIsGone) {
  clear();
  rig.main.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_EQ(read(kAt), -ENODEV);
  EXPECT_TRUE(rig.engine->conditions().tripped);
  EXPECT_TRUE(target.is_marked({0}));
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  rig.main.set_hook({});
}

// What device mapper does with the model: requests wait, the former table is asked, the next one is
// live.
TargetRegions::Exchange exchange_of(ModelTarget& target) {
  return [&target](const std::string& /*main*/, const std::function<void()>& in_between) {
    in_between();
    target.exchange();
    return Result<void>();
  };
}

TEST_F(TargetRegionsTest, LedElsewhereItKeepsInMindWhatWasWrittenPastTheProcess) {
  clear();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(write(kAt, 99), 0);
  EXPECT_EQ(target.sent_to_main(), 1U);
  regions.set_exchange(exchange_of(target));
  ASSERT_TRUE(is_led());
  EXPECT_TRUE(target.is_marked(kAt));
  // All of a new table is dirty, and nobody wants to read back a whole disk.
  EXPECT_FALSE(target.is_dirty({0}));
  clear();
  EXPECT_FALSE(target.is_marked({0}));
  // The engine knows, and a flush that fails reads it back.
  rig.main.fail_reads({kAt, {1}}, EIO);
  rig.main.set_hook([](const sim::Request& request) {
    return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_EQ(target.flush().error, EIO);
  rig.main.set_hook({});
  rig.main.clear_faults();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(read(kAt), -EIO);
}

TEST_F(TargetRegionsTest, LedElsewhereAWriteBeforeIsCountedAndNoneIsMadeUp) {
  clear();
  const std::uint64_t before = rig.engine->counts().writes;
  regions.set_exchange(exchange_of(target));
  ASSERT_TRUE(is_led());
  EXPECT_EQ(rig.engine->counts().writes, before);
  clear();
  EXPECT_EQ(write(kAt, 5), 0);
  ASSERT_TRUE(is_led());
  EXPECT_NE(rig.engine->counts().writes, before);
}

// The engine device is replaced while main is followed: that table has the former one.
TEST_F(TargetRegionsTest, LedElsewhereOnceMoreWhenTheEngineDeviceIsReplacedMeanwhile) {
  clear();
  std::atomic<int> led{0};
  regions.set_exchange([&](const std::string& main, const std::function<void()>& in_between) {
    if (led++ == 0) regions.set_reach(TargetRegions::Reach::elsewhere);
    return exchange_of(target)(main, in_between);
  });
  ASSERT_TRUE(is_led());
  EXPECT_EQ(led, 2);
}

// The engine has requests that the exchange waits for, and may have to mark for them.
TEST_F(TargetRegionsTest, WhileItIsLedElsewhereTheEngineMarksAndNothingIsCleared) {
  clear();
  regions.set_exchange([&](const std::string&, const std::function<void()>& in_between) {
    EXPECT_TRUE(regions.withhold({kAt, {8}}));
    EXPECT_TRUE(target.is_marked(kAt));
    in_between();
    target.exchange();
    clear();
    EXPECT_TRUE(target.is_marked({0}));
    EXPECT_TRUE(regions.withhold({kAt, {8}}));
    return Result<void>();
  });
  EXPECT_TRUE(is_led());
  clear();
  EXPECT_FALSE(target.is_marked({0}));
}

TEST_F(TargetRegionsTest, WhatCannotBeLedElsewhereStaysWithTheEngine) {
  std::atomic<int> tried{0};
  regions.set_exchange([&](const std::string&, const std::function<void()>&) {
    ++tried;
    return Result<void>(fail(ErrorCode::io, "no table"));
  });
  regions.set_reach(TargetRegions::Reach::elsewhere);
  EXPECT_TRUE(soon([&] { return tried > 1; }));
  clear();
  EXPECT_TRUE(target.is_marked(kAt));
  regions.set_exchange(exchange_of(target));
  EXPECT_TRUE(is_led());
  clear();
  EXPECT_FALSE(target.is_marked(kAt));
}

// An epoch of one table means nothing in the next one, of which nothing is durable yet.
TEST_F(TargetRegionsTest, WhatOneTableHasSaidSettlesNothingOfTheNext) {
  clear();
  EXPECT_EQ(target.flush().error, 0);
  EXPECT_EQ(write(kAt, 99), 0);
  ASSERT_TRUE(regions.unflushed(system_clock(), system_clock().monotonic_ns()));
  target.exchange();
  EXPECT_TRUE(target.is_dirty(kAt));
  EXPECT_TRUE(regions.withhold({kAt, {8}}));
  clear();
  regions.settle_unflushed();
  EXPECT_TRUE(target.is_dirty(kAt));
}

// Of main at another place, with the same bytes.
class MainElsewhere final : public remap::MainReopener {
 public:
  explicit MainElsewhere(io::BlockDevice& found) : found_(found) {}
  Result<io::BlockDevice*> reopen() override {
    if (!is_there) return fail(ErrorCode::missing_device, "not back yet");
    was_taken = true;
    return &found_;
  }

  std::atomic<bool> is_there{false};
  std::atomic<bool> was_taken{false};

 private:
  io::BlockDevice& found_;
};

struct ElsewhereRig {
  ElsewhereRig() {
    found.poke({0}, remap::pattern(kMain.value, 1));
    rig.evidence = {rig.block_hash(30'000)};
    rig.direct = &regions;
    rig.start(&reopener);
    target.serve_by(*rig.engine);
    EXPECT_TRUE(
        regions.attach([this](const std::string& message) { return target.answer(message); }));
    regions.set_exchange([this](const std::string& main, const std::function<void()>& between) {
      led_to = main;
      return exchange_of(target)(main, between);
    });
    regions.start([this](SectorRange range) { return rig.engine->may_go_direct(range); });
    regions.stop();
    regions.clear_clean();
  }
  ~ElsewhereRig() { rig.stop(); }
  void unplug() {
    rig.main.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
    EXPECT_EQ(rig.read(0), -ENODEV);
  }

  Rig rig{{kMain, 512, 4096}};
  sim::SimDevice found{{kMain, 512, 4096}, "found"};
  MainElsewhere reopener{found};
  ModelTarget target{found, kMain};
  TargetRegions regions{kMain};
  std::string led_to;
};

TEST(TargetRegions, MainAtAnotherPlaceIsFollowed) {
  ElsewhereRig r;
  r.unplug();
  EXPECT_TRUE(r.target.is_marked(kAt));
  r.reopener.is_there = true;
  ASSERT_TRUE(soon([&] { return r.rig.engine->may_go_direct({kAt, {8}}); }));
  EXPECT_EQ(r.led_to, "found");
  r.regions.clear_clean();
  EXPECT_FALSE(r.target.is_marked(kAt));
  EXPECT_EQ(r.rig.write(0, 8, 7), 0);
  EXPECT_EQ(std::to_integer<int>(r.found.contents()[0]), 7);
}

TEST(TargetRegions, MainAtAnotherPlaceThatIsNotAsItWasIsNotFollowed) {
  ElsewhereRig r;
  r.unplug();
  r.found.poke({30'000}, remap::pattern(8, 9));
  r.reopener.is_there = true;
  ASSERT_TRUE(soon([&] { return r.reopener.was_taken.load(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_TRUE(r.rig.engine->conditions().tripped);
  EXPECT_EQ(r.led_to, "");
}

// A request that saw main there may be on its way to where main is held next.
TEST(TargetRegions, MainAtAnotherPlaceIsNotTakenBeforeTheRequestsToItHaveEnded) {
  ElsewhereRig r;
  r.target.begin(kAt);
  r.unplug();
  r.reopener.is_there = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(r.reopener.was_taken);
  r.target.end(kAt);
  EXPECT_TRUE(soon([&] { return r.reopener.was_taken.load(); }));
}

}  // namespace
}  // namespace dmremap::dm
