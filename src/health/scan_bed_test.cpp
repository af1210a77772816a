// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 10 on a disk with one arm in discrete events, and how soon errors are found.
// bench_scan prints the whole table that docs/health-scanning.md quotes.
#include "rig/scan_bed.hpp"

#include <gtest/gtest.h>

#include "base/units.hpp"
#include "health/scan_order.hpp"
#include "rig/scan_faults.hpp"

namespace dmremap::rig {
namespace {

constexpr unsigned kPairs = 20;

Workload load_of(unsigned depth, bool sequential, bool light) {
  return {"", depth, sequential, {sequential ? 256U : 8U}, light ? 200.0 : 0, light ? 20.0 : 0};
}

void expect_not_felt(bool prefers_streams, bool sequential) {
  for (const unsigned depth : {1U, 2U, 32U}) {
    for (const bool light : {false, true}) {
      ArmDisk disk;
      disk.prefers_streams = prefers_streams;
      const BedComparison it = compare_beds(disk, load_of(depth, sequential, light), Scanner::paced,
                                            light ? 3600 : 120, kPairs);
      EXPECT_LE(it.mean.percent, 1) << depth << light;
      EXPECT_LE(it.p99.percent, 1) << depth << light;
      // No request waits for more than a few reads, each of a seek, a revolution, and 128 KiB.
      EXPECT_LE(it.worst_ms, it.worst_alone_ms + 60) << depth << light;
      EXPECT_GE(it.scanned_mib_per_h, light ? 1000 : 0) << depth;
    }
  }
}

TEST(ScanBed, Promise10_ScanningIsNotFelt) {
  expect_not_felt(false, false);
  expect_not_felt(false, true);
}

TEST(ScanBed, Promise10_NorOnADiskThatPrefersStreams) {
  expect_not_felt(true, false);
  expect_not_felt(true, true);
}

TEST(ScanBed, Promise10_OverdueScanningStaysUnderTwoPercentAndGetsOn) {
  for (const unsigned depth : {1U, 2U, 32U}) {
    const BedComparison it =
        compare_beds({}, load_of(depth, false, false), Scanner::overdue, 600, kPairs);
    EXPECT_LE(it.mean.percent, 2) << depth;
    EXPECT_LE(it.p99.percent, 2) << depth;
    EXPECT_LE(it.device_share, 0.02) << depth;
    EXPECT_GE(it.scanned_mib_per_h, 30) << depth;
  }
}

TEST(ScanBed, AnIdleDiskIsReadAtFullSpeedWithGaps) {
  const BedResult it = run_bed({}, {"", 1, false, {8}, 1, 1e9}, Scanner::paced, 600, 1);
  EXPECT_GE(it.scanned_mib * 3600 / 600, 80'000);
  EXPECT_LE(it.device_share, 0.52);
}

// The checks above can fail: a scan with two reads in flight is felt by far.
TEST(ScanBed, AScanWithoutAPaceIsFelt) {
  const BedComparison it =
      compare_beds({}, load_of(1, false, false), Scanner::reckless, 60, kPairs);
  EXPECT_GT(it.mean.low, 50);
  EXPECT_GT(it.p99.low, 50);
  ArmDisk streams;
  streams.prefers_streams = true;
  const BedComparison stalled =
      compare_beds(streams, load_of(1, false, false), Scanner::reckless, 60, kPairs);
  EXPECT_GT(stalled.worst_ms, 2000);
}

std::vector<std::vector<Fault>> faulty_disks(const FaultModel& model, unsigned count) {
  sim::Dice dice(1);
  std::vector<std::vector<Fault>> disks;
  for (unsigned i = 0; i < count; ++i) disks.push_back(faulty_disk(model, dice));
  return disks;
}

TEST(ScanFaults, ErrorsAreFoundAtLeast1Point4TimesSoonerThanBySequentialReading) {
  const FaultModel model;
  const auto disks = faulty_disks(model, 10'000);
  // The disks are such as were studied.
  const FaultFacts facts = facts_of(disks);
  EXPECT_GT(facts.disks_below_50, 0.8);
  EXPECT_GT(facts.another_within_10_mb, 0.5);
  EXPECT_LT(facts.another_within_10_mb, 0.65);
  EXPECT_GT(facts.within_a_minute, 0.4);
  EXPECT_LT(facts.within_a_minute, 0.8);
  EXPECT_GT(facts.more_within_a_month, 0.55);
  EXPECT_LT(facts.more_within_a_month, 0.62);
  const DetectionRatio ratio = compare_detection(disks, model, {});
  EXPECT_GE(ratio.by_error, 1.4);
  EXPECT_GE(ratio.by_disk, 1.15);
}

TEST(ScanFaults, ASequentialPassIsNoSoonerThanItself) {
  const FaultModel model;
  const DetectionRatio ratio = compare_detection(faulty_disks(model, 500), model,
                                                 {ReadOrder::sequential, 14, false, false, false});
  EXPECT_NEAR(ratio.by_error, 1, 1e-6);
  EXPECT_NEAR(ratio.mean_days, 7, 0.2);
}

// The model's rules against ScanOrder's: both watch the same small disks.
TEST(ScanFaults, TheModelIsTheScanner) {
  constexpr double kStepDays = 14.0 / 2048 / 8;
  FaultModel model;
  model.segments = 2048;
  model.most = 30;
  double modelled = 0;
  double scanned = 0;
  for (const std::vector<Fault>& faults : faulty_disks(model, 60)) {
    for (const double delay : detect(faults, model, {}).delays_days) modelled += delay;

    health::ScanOrder order(
        health::decode_scan_record({}, SectorCount{health::kScanSegment.value * model.segments}));
    std::vector<bool> found(faults.size());
    std::size_t left = faults.size();
    // The pass is read in step with its plan, one segment at once.
    double planned = 0;
    for (double day = 0; left > 0 && day < 2 * model.days; day += kStepDays) {
      const auto now_ns = static_cast<std::uint64_t>(day * 86'400) * kSecondNs;
      order.advance(now_ns, now_ns);
      planned += kStepDays * 86'400 / static_cast<double>(order.pass_interval_s()) * model.segments;
      while (const auto piece = order.next(health::kScanSegment)) {
        if (piece->reason == health::ScanReason::pass) {
          if (planned < 1) break;
          planned -= 1;
        }
        const auto segment = piece->sectors.first.value / health::kScanSegment.value;
        bool trouble = false;
        for (std::size_t i = 0; i < faults.size() && faults[i].day <= day; ++i) {
          if (found[i] || faults[i].segment != segment) continue;
          found[i] = trouble = true;
          --left;
          scanned += day - faults[i].day;
        }
        order.finished(trouble ? health::ScanResult::trouble : health::ScanResult::good);
      }
      planned = std::min(planned, 2.0);
    }
    EXPECT_EQ(left, 0U);
  }
  EXPECT_NEAR(scanned / modelled, 1, 0.1);
}

}  // namespace
}  // namespace dmremap::rig
