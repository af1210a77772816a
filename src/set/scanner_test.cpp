// SPDX-License-Identifier: GPL-2.0-or-later
// The scanner's thread over an engine with simulated devices, in real time: at full speed, since
// the pace itself is tested without a clock (src/health).
#include "set/scanner.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "metadata/offline.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::set {
namespace {

class ScannerTest : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  void TearDown() override { scanner.reset(); }
  // Each one made has what the one before it remembered.
  void make(std::chrono::seconds first_rest = std::chrono::seconds(600)) {
    scanner.reset();
    Scanner::Parts parts;
    parts.engine = rig.engine.get();
    parts.clock = clock;
    parts.random = &random;
    parts.on_battery = [this] { return on_battery.load(); };
    parts.size = remap::kMainSize;
    parts.main_path = [] { return std::string("/nowhere"); };
    parts.first_rest = first_rest;
    if (remembered) {
      parts.stored = remembered->scan;
      parts.stored_latency = remembered->latency;
    }
    parts.remember = [this](const ScanMemory& memory) {
      if (before_remembering) before_remembering(memory);
      const std::lock_guard lock(mutex);
      remembered = memory;
      return Result<void>();
    };
    scanner.emplace(std::move(parts));
  }
  // The engine begins anew, by another clock, and so does the scanner that is made next.
  void run_engine_on(Clock& other) {
    rig.stop();
    rig.clock = &other;
    rig.start();
    clock = &other;
  }
  [[nodiscard]] bool pass_over(std::uint64_t passes) const {
    return remap::soon([&] {
      const ScannerStatus status = scanner->status();
      return status.passes >= passes && status.state == "idle";
    });
  }

  remap::Rig rig;
  Clock* clock = &system_clock();
  std::atomic<bool> on_battery{false};
  remap::SeededRandom random;
  std::function<void(const ScanMemory&)> before_remembering;
  std::mutex mutex;
  std::optional<ScanMemory> remembered;
  std::optional<Scanner> scanner;
};

TEST_F(ScannerTest, RestsAtFirstAndReadsAllWhenItIsAsked) {
  rig.main.fail_reads({{2'000}, {3}}, EIO);
  make();
  EXPECT_EQ(scanner->status().state, "idle");
  EXPECT_EQ(scanner->status().passes, 0U);
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(1));
  const ScannerStatus status = scanner->status();
  EXPECT_EQ(status.found.lost, 3U);
  EXPECT_EQ(status.found.recovered, 0U);
  EXPECT_EQ(status.scanned, remap::kMainSize);
  EXPECT_NE(status.last_complete_s, 0U);
  EXPECT_EQ(rig.engine->counts().reads, 0U);
}

std::uint64_t passes_in(const ScanMemory& memory) {
  return health::decode_scan_record(memory.scan.record, remap::kMainSize).passes;
}

TEST_F(ScannerTest, ThatAPassIsOverIsToldWhenItIsRemembered) {
  std::atomic<bool> begun{false};
  std::atomic<bool> may_end{false};
  before_remembering = [&](const ScanMemory& memory) {
    if (passes_in(memory) == 0) return;
    begun = true;
    EXPECT_TRUE(remap::soon([&] { return may_end.load(); }));
  };
  make();
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(remap::soon([&] { return begun.load(); }));
  const ScannerStatus before = scanner->status();
  EXPECT_EQ(before.passes, 0U);
  EXPECT_EQ(before.last_complete_s, 0U);
  EXPECT_EQ(before.state, "running");
  may_end = true;
  ASSERT_TRUE(pass_over(1));
  EXPECT_NE(scanner->status().last_complete_s, 0U);
}

// Two commits at once, of which the one that was begun first is the last to end.
TEST_F(ScannerTest, WhatIsRememberedLastIsWhatWasSaidLast) {
  std::atomic<bool> begun{false};
  before_remembering = [&](const ScanMemory& memory) {
    if (passes_in(memory) == 0) return;
    if (begun.exchange(true)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  };
  make();
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(remap::soon([&] { return begun.load(); }));
  ASSERT_TRUE(scanner->pause());
  ASSERT_TRUE(remap::soon([&] { return scanner->status().passes == 1; }));
  make();
  EXPECT_EQ(scanner->status().state, "paused");
}

TEST_F(ScannerTest, APassReadsTheMetadataAndMendsIt) {
  make();
  const auto zero = [this](unsigned copy, unsigned column) {
    const auto positions = format::copy_positions(remap::kSpareSize);
    rig.spare.poke(format::slot_sector(positions, {copy, column}), remap::pattern(8, 0));
  };
  const auto damaged = [this] {
    const auto found = metadata::survey(rig.spare);
    return found ? metadata::damaged_slots(*found).size() : 99;
  };
  zero(0, 0);
  zero(7, 1);
  EXPECT_EQ(damaged(), 2U);
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(1));
  EXPECT_EQ(damaged(), 0U);
  EXPECT_EQ(scanner->status().found.mended_slots, 2U);
  EXPECT_EQ(rig.events.count(format::EventKind::repair), 1U);
  // Each pass does it.
  zero(3, 0);
  zero(3, 1);
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(2));
  EXPECT_EQ(damaged(), 0U);
  EXPECT_EQ(scanner->status().found.mended_slots, 4U);
}

TEST_F(ScannerTest, AnotherStartIsAnotherPass) {
  make();
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(1));
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  EXPECT_TRUE(pass_over(2));
}

TEST_F(ScannerTest, ReadsByItselfWhenTheFirstRestIsOver) {
  make(std::chrono::seconds(0));
  EXPECT_TRUE(remap::soon([&] { return scanner->status().scanned.value > 0; }));
}

TEST_F(ScannerTest, APauseHoldsUntilItIsResumed) {
  make();
  (void)scanner->start({.now = true, .rate = 1 << 20, .window = {}});
  ASSERT_TRUE(remap::soon([&] { return scanner->status().scanned.value > 0; }));
  (void)scanner->pause();
  EXPECT_EQ(scanner->status().state, "paused");
  // One read may have been in flight.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const SectorCount before = scanner->status().scanned;
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  EXPECT_EQ(scanner->status().scanned, before);
  EXPECT_EQ(scanner->status().state, "paused");
  (void)scanner->resume();
  EXPECT_TRUE(remap::soon([&] { return scanner->status().scanned > before; }));
}

TEST_F(ScannerTest, GoesOnAfterARestartAndAPauseHolds) {
  make();
  (void)scanner->start({.now = true, .rate = 4 << 20, .window = health::PaceWindow{60, 59}});
  ASSERT_TRUE(remap::soon([&] { return scanner->status().scanned.value >= 4'096; }));
  ASSERT_TRUE(scanner->pause());
  make();
  EXPECT_EQ(scanner->status().state, "paused");
  const SectorCount before = scanner->status().scanned;
  EXPECT_GE(before.value, 2'048U) << "whole segments of it";
  EXPECT_EQ(scanner->memory().scan.rate, std::uint64_t{4} << 20U);
  EXPECT_EQ(scanner->memory().scan.window_from, 60U);
  ASSERT_TRUE(scanner->start({.now = true, .rate = 0, .window = {}}));
  ASSERT_TRUE(pass_over(1));
  make();
  EXPECT_EQ(scanner->status().passes, 1U);
  EXPECT_EQ(scanner->status().state, "idle");
  EXPECT_EQ(scanner->status().scanned, remap::kMainSize);
}

TEST_F(ScannerTest, APassThatWasAskedForIsReadAfterARestart) {
  on_battery = true;  // so that nothing of it is read before
  make();
  ASSERT_TRUE(scanner->start({.now = false, .rate = {}, .window = {}}));
  EXPECT_EQ(scanner->status().scanned, SectorCount{0});
  make();
  EXPECT_NE(scanner->status().state, "idle") << "another ten minutes of rest";
  on_battery = false;
  // Not before that is looked at again, unless it is asked for at full speed.
  ASSERT_TRUE(scanner->start({.now = true, .rate = 1 << 20, .window = {}}));
  make();
  EXPECT_NE(scanner->status().state, "idle");
  ASSERT_TRUE(remap::soon([&] { return scanner->status().scanned.value > 0; }));
  ASSERT_TRUE(scanner->pause());
  make();
  EXPECT_EQ(scanner->status().state, "paused");
  ASSERT_TRUE(scanner->start({.now = true, .rate = 0, .window = {}}));
  ASSERT_TRUE(pass_over(1));
  make();
  EXPECT_EQ(scanner->status().state, "idle") << "it was asked for one pass";
}

TEST_F(ScannerTest, APassThatWasGivenUpIsNotReadAfterARestart) {
  on_battery = true;
  make();
  ASSERT_TRUE(scanner->start({.now = false, .rate = {}, .window = {}}));
  ASSERT_TRUE(scanner->end());
  make();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(scanner->status().state, "idle");
}

TEST_F(ScannerTest, WaitsWhileACopyIsMadeAndWhileMainIsAway) {
  make();
  scanner->note_copy(true);
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(remap::soon([&] { return scanner->status().state == "waiting"; }));
  EXPECT_EQ(scanner->status().waits_for, "copy");
  EXPECT_EQ(scanner->status().scanned, SectorCount{0});
  rig.main.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_NE(rig.read(0), 1);
  scanner->note_copy(false);
  ASSERT_TRUE(remap::soon([&] { return scanner->status().waits_for == "main"; }));
  EXPECT_TRUE(rig.engine->extents().empty());
}

// The rig's disk has four parts of four segments.
TEST_F(ScannerTest, WhatReadsTakeIsKnownPartByPart) {
  constexpr SectorCount kPart{remap::kMainSize.value / 4};
  const SectorRange slow{{2 * kPart.value}, kPart};
  std::atomic<bool> is_slow{true};
  rig.main.set_hook([&](const sim::Request& request) {
    // Less than what makes a place suspect.
    if (is_slow && request.range.overlaps(slow)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(80));
    }
    return io::IoStatus{};
  });
  make();
  for (const auto& part : scanner->latency_profile().parts()) EXPECT_FALSE(part.typical_us);
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(1));
  const auto expect_slow = [&](const std::vector<health::LatencyPart>& parts) {
    ASSERT_EQ(parts.size(), 4U);
    EXPECT_EQ(parts[2].sectors, slow);
    for (const std::size_t other : {0U, 1U, 3U}) {
      ASSERT_TRUE(parts[other].typical_us && parts[2].typical_us);
      // Of 80 ms for a segment.
      EXPECT_GT(*parts[2].typical_us, 9'000);
      EXPECT_GT(*parts[2].typical_us, 2 * *parts[other].typical_us) << other;
    }
  };
  const auto parts = scanner->latency_profile().parts();
  expect_slow(parts);
  // It is remembered at the end of the pass, and another pass forgets it.
  ASSERT_TRUE(remap::soon([&] {
    const std::lock_guard lock(mutex);
    return remembered &&
           health::unpack_latency_profile(remembered->latency.profile).parts() == parts;
  }));
  make();
  EXPECT_EQ(scanner->latency_profile().parts(), parts);
  is_slow = false;
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(2));
  EXPECT_LT(*scanner->latency_profile().parts().at(2).typical_us, *parts.at(2).typical_us / 2);
}

TEST_F(ScannerTest, WhatTroubleTakesIsNoLatency) {
  constexpr SectorCount kPart{remap::kMainSize.value / 4};
  rig.main.fail_reads({{0}, kPart}, EIO);
  make();
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  ASSERT_TRUE(pass_over(1));
  const auto parts = scanner->latency_profile().parts();
  EXPECT_FALSE(parts.at(0).typical_us);
  EXPECT_TRUE(parts.at(1).typical_us);
}

// Ten times as fast as the system's, so that minutes pass within a test. The scanner's waits are
// the system's, and so last ten times as long by this clock.
class FastClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
  std::uint64_t monotonic_ns() override {
    const std::uint64_t now_ns = system_clock().monotonic_ns();
    return begun_ns_ + (now_ns - begun_ns_) * 10;
  }
  [[nodiscard]] std::uint64_t begun_ns() const { return begun_ns_; }

 private:
  const std::uint64_t begun_ns_ = system_clock().monotonic_ns();
};

// Goes forward by what it is told to.
class SteppedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
  std::uint64_t monotonic_ns() override { return system_clock().monotonic_ns() + ahead_ns_; }
  void step(std::chrono::nanoseconds by) { ahead_ns_ += static_cast<std::uint64_t>(by.count()); }

 private:
  std::atomic<std::uint64_t> ahead_ns_{0};
};

TEST_F(ScannerTest, APassThatEndsWithAMeasurementIsRemembered) {
  SteppedClock stepped;
  run_engine_on(stepped);
  const SectorRange last{{(remap::kMainSize - health::kScanSegment).value}, health::kScanSegment};
  std::atomic<bool> is_long{true};
  rig.main.set_hook([&](const sim::Request& request) {
    // Longer than what was read before it is remembered after.
    if (request.range.overlaps(last) && is_long.exchange(false)) {
      stepped.step(std::chrono::seconds(70));
    }
    return io::IoStatus{};
  });
  make();
  (void)scanner->start({.now = true, .rate = {}, .window = {}});
  const auto remembered_now = [&] {
    const std::lock_guard lock(mutex);
    return *remembered;
  };
  // All but the place that took long, which is measured some time later.
  ASSERT_TRUE(remap::soon([&] {
    const health::ScanOrder order(
        health::decode_scan_record(remembered_now().scan.record, remap::kMainSize));
    return order.progress().scanned + health::kScanSegment == remap::kMainSize;
  }));
  stepped.step(std::chrono::seconds(20));
  scanner->look_at({});
  ASSERT_TRUE(pass_over(1));
  EXPECT_EQ(passes_in(remembered_now()), 1U);
}

TEST_F(ScannerTest, Promise10_RestsInTheWindowsInWhichItsAbsenceIsMeasured) {
  FastClock fast;
  run_engine_on(fast);
  std::atomic<std::uint64_t> last_read_ns{0};
  std::atomic<std::uint64_t> longest_rest_ns{0};
  rig.main.set_hook([&](const sim::Request&) {
    const std::uint64_t now_ns = fast.monotonic_ns();
    const std::uint64_t last_ns = last_read_ns.exchange(now_ns);
    if (last_ns != 0) longest_rest_ns = std::max(longest_rest_ns.load(), now_ns - last_ns);
    return io::IoStatus{};
  });
  make();
  // A piece in two seconds of this clock: the rests of the rate are shorter than a window.
  ASSERT_TRUE(scanner->start({.now = false, .rate = 640 << 10, .window = {}}));
  EXPECT_TRUE(remap::soon([&] { return longest_rest_ns.load() >= 9'000'000'000; }));
  EXPECT_LE(longest_rest_ns.load(), 20'000'000'000U);
  EXPECT_EQ(scanner->status().state, "running");
  EXPECT_EQ(scanner->status().felt.pairs, 0U) << "nobody used the disk";
}

TEST_F(ScannerTest, AtFullSpeedNothingHoldsItForAMeasurement) {
  FastClock fast;
  run_engine_on(fast);
  make();
  // A segment in eight seconds of this clock: of the fifty that follow some would be of a window.
  ASSERT_TRUE(scanner->start({.now = true, .rate = 1280 << 10, .window = {}}));
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(rig.read(0), 1);
    EXPECT_TRUE(rig.engine->take_latencies().empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(80));
  }
  EXPECT_EQ(scanner->status().state, "running");
}

TEST_F(ScannerTest, ACommitThatIsMadeAnywayTakesAlongWhatWasRead) {
  FastClock fast;
  clock = &fast;
  make();
  EXPECT_FALSE(scanner->memory_for_commit()) << "nothing was read";
  ASSERT_TRUE(scanner->start({.now = true, .rate = 2560 << 10, .window = {}}));
  ASSERT_TRUE(remap::soon([&] { return scanner->status().scanned.value >= 4'096; }));
  EXPECT_FALSE(scanner->memory_for_commit()) << "not so soon after the last one";
  std::optional<ScanMemory> taken;
  ASSERT_TRUE(remap::soon([&] { return (taken = scanner->memory_for_commit()).has_value(); }));
  EXPECT_GE(fast.monotonic_ns(), fast.begun_ns() + 30'000'000'000U);
  const health::ScanOrder there(health::decode_scan_record(taken->scan.record, remap::kMainSize));
  EXPECT_GE(there.progress().scanned.value, 4'096U);
  {
    const std::lock_guard lock(mutex);
    EXPECT_NE(remembered->scan.record, taken->scan.record) << "no commit of its own was made";
  }
  EXPECT_FALSE(scanner->memory_for_commit()) << "it is remembered now";
}

TEST_F(ScannerTest, OnABatteryItWaitsUnlessAUserWantsItNow) {
  on_battery = true;
  make(std::chrono::seconds(0));
  ASSERT_TRUE(remap::soon([&] { return scanner->status().state == "waiting"; }));
  EXPECT_EQ(scanner->status().waits_for, "battery");
  ASSERT_TRUE(scanner->start({.now = false, .rate = {}, .window = {}}));
  ASSERT_TRUE(remap::soon([&] { return scanner->status().waits_for == "battery"; }));
  EXPECT_EQ(scanner->status().scanned, SectorCount{0});
  ASSERT_TRUE(scanner->start({.now = true, .rate = {}, .window = {}}));
  EXPECT_TRUE(pass_over(1));
}

TEST_F(ScannerTest, StoppedItReadsNoMore) {
  make();
  (void)scanner->start({.now = true, .rate = 1 << 20, .window = {}});
  (void)scanner->end();
  EXPECT_EQ(scanner->status().state, "idle");
  scanner->stop();
  scanner->stop();
}

TEST_F(ScannerTest, GoesOnAfterAStopThatCameToNothing) {
  make();
  (void)scanner->start({.now = true, .rate = 1 << 20, .window = {}});
  scanner->stop();
  (void)scanner->start({.now = true, .rate = 0, .window = {}});
  scanner->go_on();
  scanner->go_on();
  EXPECT_TRUE(pass_over(1));
  EXPECT_EQ(scanner->status().scanned, remap::kMainSize);
}

}  // namespace
}  // namespace dmremap::set
