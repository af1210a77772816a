// SPDX-License-Identifier: GPL-2.0-or-later
// The meter over an engine and a clock that is moved by hand: what is measured is what the users'
// requests took, in the windows in which they arrived.
#include "set/felt_meter.hpp"

#include <atomic>
#include <optional>
#include <utility>

#include "rig/engine_rig.hpp"

namespace dmremap::set {
namespace {

using health::FeltReport;

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kMinuteS = 60;

class SteppedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
  std::uint64_t monotonic_ns() override { return now_ns.load(); }

  std::atomic<std::uint64_t> now_ns{1'000 * kMs};
};

class FeltMeterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.clock = &clock;
    rig.start();
    rig.main.set_hook([this](const sim::Request&) {
      clock.now_ns += latency_ns;
      return io::IoStatus{};
    });
    meter.emplace(*rig.engine, random);
  }
  void TearDown() override { meter.reset(); }

  // A user reads once in 20 ms for so long; each read takes longer while the scan may run. Returns
  // how long it might not, in steps.
  std::uint64_t use(std::uint64_t seconds, std::uint64_t with_scan_ns, std::uint64_t without_ns) {
    std::uint64_t held = 0;
    const std::uint64_t end_ns = clock.now_ns + seconds * 1000 * kMs;
    while (clock.now_ns < end_ns) {
      meter->advance(clock.now_ns, wanted);
      latency_ns = meter->may_scan() ? with_scan_ns : without_ns;
      if (!meter->may_scan()) ++held;
      EXPECT_EQ(rig.read(0), 1);
      clock.now_ns += 20 * kMs;
    }
    return held;
  }

  remap::SeededRandom random;
  SteppedClock clock;
  remap::Rig rig;
  std::uint64_t latency_ns = 0;
  bool wanted = true;
  std::optional<FeltMeter> meter;
};

TEST_F(FeltMeterTest, Promise10_SaysWhatUsersRequestsTookAndLowersThePace) {
  use(20 * kMinuteS, 6 * kMs, 5 * kMs);
  EXPECT_FALSE(meter->report().enough);
  EXPECT_GT(meter->report().pairs, 10U);
  EXPECT_EQ(meter->slowdown(), 0U);
  FeltReport last;
  std::uint64_t held = 0;
  while (meter->slowdown() == 0 && clock.now_ns < 7200 * 1000 * kMs) {
    last = meter->report();
    held += use(1, 6 * kMs, 5 * kMs);
  }
  EXPECT_EQ(last.pairs, 29U);
  EXPECT_EQ(meter->slowdown(), 1U) << "a fifth is felt";
  EXPECT_GT(held, 0U);
  EXPECT_EQ(meter->report().pairs, 0U) << "what is measured at the new pace is another thing";
  use(40 * kMinuteS, 5 * kMs, 5 * kMs);
  EXPECT_EQ(meter->slowdown(), 0U) << "nothing is felt any more";
  use(40 * kMinuteS, 5 * kMs, 5 * kMs);
  const FeltReport now = meter->report();
  ASSERT_TRUE(now.enough);
  EXPECT_NEAR(now.mean_percent, 0, 0.5);
  EXPECT_NEAR(now.p99_percent, 0, 2);
  EXPECT_LE(now.low_percent, now.high_percent);
}

// Else each request would pay for it.
TEST_F(FeltMeterTest, BetweenWindowsNothingIsSampled) {
  std::uint64_t within = 0;
  std::uint64_t between = 0;
  for (int i = 0; i < 60'000; ++i) {
    meter->advance(clock.now_ns, true);
    const bool window_runs = meter->longest_wait_ns() == FeltMeter::kStepNs;
    EXPECT_EQ(rig.read(0), 1);
    const bool sampled = !rig.engine->take_latencies().empty();
    if (!window_runs) {
      EXPECT_FALSE(sampled);
    }
    ++(window_runs ? within : between);
    clock.now_ns += FeltMeter::kStepNs / 2;
  }
  EXPECT_GT(within, 1000U);
  EXPECT_GT(between, within) << "a pair about once a minute";
}

TEST_F(FeltMeterTest, MeasuresNothingWhileTheScanHasNothingToRead) {
  wanted = false;
  EXPECT_EQ(use(10 * kMinuteS, kMs, kMs), 0U);
  EXPECT_EQ(meter->report().pairs, 0U);
  EXPECT_TRUE(rig.engine->take_latencies().empty());
}

TEST_F(FeltMeterTest, OneThatEndsLeavesRequestsAsTheyWere) {
  while (meter->longest_wait_ns() != FeltMeter::kStepNs) use(1, kMs, kMs);
  use(1, kMs, kMs);
  EXPECT_EQ(rig.read(0), 1);
  EXPECT_FALSE(rig.engine->take_latencies().empty());
  meter.reset();
  EXPECT_EQ(rig.read(0), 1);
  EXPECT_TRUE(rig.engine->take_latencies().empty());
}

}  // namespace
}  // namespace dmremap::set
