// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_order.hpp"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.hpp"

namespace dmremap::health {
namespace {

constexpr std::uint64_t kWall = 1'700'000'000 * kSecondNs;

SectorCount mib(std::uint64_t count) {
  return SectorCount::from_bytes(count * kMiB);
}

// A scanner on a disk whose bad sectors are known.
class Scan {
 public:
  explicit Scan(SectorCount size, ScanPolicy policy = {})
      : order_(decode_scan_record({}, size), policy) {
    wait(0);
  }

  ScanOrder& order() { return order_; }
  void wait(std::uint64_t seconds) {
    now_ns_ += seconds * kSecondNs;
    order_.advance(now_ns_, kWall + now_ns_);
  }
  void spoil(Sector sector) { bad_.insert(sector.value); }

  // Reads one piece; empty if nothing is due.
  std::optional<ScanPiece> read() {
    const auto piece = order_.next();
    if (!piece) return std::nullopt;
    const auto bad = bad_.lower_bound(piece->sectors.first.value);
    const bool trouble = bad != bad_.end() && *bad < piece->sectors.end().value;
    order_.finished(trouble ? ScanResult::trouble : ScanResult::good);
    return piece;
  }
  // All that is due now.
  std::vector<ScanPiece> read_all() {
    std::vector<ScanPiece> pieces;
    while (const auto piece = read()) pieces.push_back(*piece);
    return pieces;
  }

 private:
  ScanOrder order_;
  std::uint64_t now_ns_ = 0;
  std::set<std::uint64_t> bad_;
};

// Each sector of the disk is in exactly one of the pieces.
void expect_whole_disk_once(std::vector<ScanPiece> pieces, SectorCount size) {
  std::ranges::sort(pieces, {}, [](const ScanPiece& it) { return it.sectors.first; });
  Sector at{};
  for (const ScanPiece& piece : pieces) {
    ASSERT_EQ(piece.sectors.first, at);
    ASSERT_FALSE(piece.sectors.empty());
    ASSERT_LE(piece.sectors.count, kScanPiece);
    at = piece.sectors.end();
  }
  EXPECT_EQ(at, Sector{} + size);
}

TEST(ScanOrder, APassReadsEachSectorOnce) {
  for (const std::uint64_t sectors : {1ULL, 255ULL, 256ULL, 257ULL, 2048ULL, 2049ULL, 262'143ULL,
                                      262'144ULL, 262'145ULL, 1'000'003ULL}) {
    Scan scan{SectorCount{sectors}};
    expect_whole_disk_once(scan.read_all(), {sectors});
    EXPECT_EQ(scan.order().record().passes, 1U) << sectors;
    EXPECT_FALSE(scan.order().progress().pass_running) << sectors;
    EXPECT_EQ(scan.order().progress().scanned, SectorCount{sectors});
  }
}

TEST(ScanOrder, AnEmptyDiskHasNothingToRead) {
  Scan scan{SectorCount{0}};
  EXPECT_FALSE(scan.read());
  scan.wait(100 * kDayS);
  EXPECT_FALSE(scan.read());
  EXPECT_FALSE(scan.order().overdue());
  EXPECT_EQ(scan.order().record().passes, 0U);
}

TEST(ScanOrder, OneSegmentOfEachRegionThenAnotherOneOfEach) {
  Scan scan{mib(512)};
  std::vector<std::uint64_t> segments;
  for (const ScanPiece& piece : scan.read_all()) {
    const std::uint64_t segment = piece.sectors.first.value / kScanSegment.value;
    if (segments.empty() || segments.back() != segment) segments.push_back(segment);
  }
  ASSERT_EQ(segments.size(), 512U);
  for (std::size_t step = 0; step < segments.size(); ++step) {
    EXPECT_EQ(segments[step] / kSegmentsPerRegion, step % 4);
    EXPECT_EQ(segments[step] % kSegmentsPerRegion, turn_of(static_cast<std::uint32_t>(step / 4)));
  }
}

TEST(ScanOrder, TheSegmentsOfAClusterAreReadAtTimesSpreadOverThePass) {
  // Of any 8 neighbours, one has its turn in each eighth of the pass.
  for (std::uint32_t first = 0; first + 8 <= kSegmentsPerRegion; first += 8) {
    std::set<std::uint32_t> eighths;
    for (std::uint32_t i = 0; i < 8; ++i) eighths.insert(turn_of(first + i) / 16);
    EXPECT_EQ(eighths.size(), 8U);
  }
}

TEST(ScanOrder, TwentyTerabytesHaveStepsForEachSegment) {
  const ScanLayout layout(SectorCount::from_bytes(20'000'588'955'648));
  EXPECT_EQ(layout.segments(), 19'074'048U);
  for (std::uint32_t segment = 0; segment < layout.segments(); segment += 99'991) {
    EXPECT_EQ(layout.segment_at(layout.step_of(segment)), segment);
  }
  EXPECT_EQ(layout.sectors_of(layout.segments() - 1).end(), Sector{} + layout.size());
  EXPECT_EQ(layout.covered_before(layout.steps()), layout.size());
}

TEST(ScanOrder, CoveredIsWhatThePassHasRead) {
  const SectorCount size{mib(300).value + 77};
  Scan scan{size};
  SectorCount read;
  while (const auto piece = scan.read()) {
    read = read + piece->sectors.count;
    const SectorCount scanned = scan.order().progress().scanned;
    // The last segment is shorter, and its place in the pass is anywhere.
    EXPECT_LE(std::max(scanned, read) - std::min(scanned, read), kScanSegment);
  }
  EXPECT_EQ(scan.order().progress().scanned, size);
}

TEST(ScanOrder, ThePieceStaysTheSameUntilItIsFinished) {
  Scan scan{mib(256)};
  scan.read();
  const auto piece = scan.order().next();
  scan.wait(kDayS);
  EXPECT_EQ(scan.order().next(), piece);
  // Under load a whole segment may be read at once.
  const auto more = scan.order().next(kScanSegment);
  EXPECT_EQ(more->sectors.first, piece->sectors.first);
  EXPECT_EQ(more->sectors.count, kScanSegment - kScanPiece);
  scan.order().finished(ScanResult::good);
  EXPECT_EQ(scan.order().next()->sectors.first, Sector{} + mib(128));
}

TEST(ScanOrder, WhatWasNotNamedIsNotFinished) {
  Scan scan{mib(2)};
  scan.order().finished(ScanResult::trouble);
  EXPECT_TRUE(scan.order().record().places.empty());
  ASSERT_TRUE(scan.order().next());
  scan.order().finished(ScanResult::good);
  scan.order().finished(ScanResult::good);
  EXPECT_EQ(scan.order().next()->sectors.first, Sector{} + kScanPiece);
}

TEST(ScanOrder, AfterAnErrorTenMebibytesOnEitherSideAreReadAtOnce) {
  Scan scan{mib(1024)};
  scan.spoil(Sector{} + mib(384) + SectorCount{5});
  std::vector<ScanPiece> pieces;
  while (scan.order().record().places.empty()) pieces.push_back(*scan.read());
  EXPECT_TRUE(scan.order().overdue());
  // What is left of its segment comes first, then the surroundings, and then the pass goes on.
  std::set<std::uint64_t> around;
  auto piece = scan.read();
  while (piece->reason == ScanReason::pass) {
    pieces.push_back(*piece);
    EXPECT_EQ(piece->sectors.first.value / kScanSegment.value, 384U);
    piece = scan.read();
  }
  while (piece->reason == ScanReason::surroundings) {
    pieces.push_back(*piece);
    around.insert(piece->sectors.first.value / kScanSegment.value);
    piece = scan.read();
  }
  pieces.push_back(*piece);
  EXPECT_EQ(around.size(), 20U);
  EXPECT_EQ(*around.begin(), 374U);
  EXPECT_EQ(*around.rbegin(), 394U);
  EXPECT_FALSE(around.contains(384U));
  EXPECT_FALSE(scan.order().overdue());
  // Each piece once, all in all.
  for (const ScanPiece& it : scan.read_all()) pieces.push_back(it);
  expect_whole_disk_once(pieces, mib(1024));
}

TEST(ScanOrder, ErrorsAtTheEndsOfTheDiskAreReadAroundWithinIt) {
  Scan scan{mib(130)};
  scan.spoil(Sector{0});
  scan.spoil(Sector{} + mib(130) - SectorCount{1});
  std::set<std::uint64_t> around;
  for (const ScanPiece& piece : scan.read_all()) {
    EXPECT_LE(piece.sectors.end(), Sector{} + mib(130));
    if (piece.reason == ScanReason::surroundings) {
      EXPECT_TRUE(around.insert(piece.sectors.first.value).second);
    }
  }
  EXPECT_EQ(around.size(), 20 * kScanSegment.value / kScanPiece.value);
  EXPECT_EQ(scan.order().record().passes, 1U);
  EXPECT_EQ(scan.order().record().places.size(), 2U);
}

TEST(ScanOrder, ADyingDiskIsReadOnceInAPassAllTheSame) {
  Scan scan{mib(512)};
  for (std::uint64_t at = 0; at < mib(512).value; at += 700) scan.spoil({at});
  expect_whole_disk_once(scan.read_all(), mib(512));
  EXPECT_EQ(scan.order().record().places.size(), kRecheckPlacesMax);
}

TEST(ScanOrder, WithAFullListNothingMoreIsReadAround) {
  Scan scan{mib(4096)};
  for (std::uint64_t at = 20; at < 4096; at += 40) scan.spoil(Sector{} + mib(at));  // 102 places
  std::uint64_t around = 0;
  for (const ScanPiece& piece : scan.read_all()) {
    around += piece.reason == ScanReason::surroundings ? piece.sectors.count.value : 0;
  }
  EXPECT_EQ(around, kRecheckPlacesMax * 20 * kScanSegment.value);
}

TEST(ScanOrder, AFullListGivesUpThePlaceThatWasReadAgainMostOften) {
  std::vector<RecheckPlace> places;
  for (std::uint32_t i = 0; i < kRecheckPlacesMax; ++i) places.push_back({i, 1, false, kWeekS});
  places[40].rechecks = 5;
  RecheckList list(places, 1000, 0);
  EXPECT_TRUE(list.note_trouble(777, 0));
  EXPECT_EQ(list.places().size(), kRecheckPlacesMax);
  const auto listed = [&](std::uint32_t segment) {
    return std::ranges::find(list.places(), segment, &RecheckPlace::segment) != list.places().end();
  };
  EXPECT_TRUE(listed(777));
  EXPECT_FALSE(listed(40));
}

TEST(ScanOrder, ARecheckThatIsAWeekLateIsOverdue) {
  ScanRecord record = decode_scan_record({}, mib(256));
  record.step = ScanLayout(mib(256)).steps();
  record.places = {{17, 0, false, kWeekS}};
  ScanOrder order(record, {.pass_interval_s = 10'000 * kDayS});
  order.advance(0, kWall);
  order.advance(2 * kWeekS * kSecondNs, kWall);
  EXPECT_FALSE(order.overdue());
  order.advance((2 * kWeekS + 1) * kSecondNs, kWall);
  EXPECT_TRUE(order.overdue());
}

TEST(ScanOrder, TroubleIsReadAgainAfterOneTwoFourWeeksAndThenEachFour) {
  Scan scan{mib(256), {.pass_interval_s = 10'000 * kDayS}};
  scan.spoil({1000});
  scan.read_all();
  ScanOrder order(scan.order().record(), {.pass_interval_s = 10'000 * kDayS});
  std::vector<std::uint64_t> weeks;
  std::uint64_t now_ns = 0;
  order.advance(now_ns, kWall);
  for (std::uint64_t day = 1; day < 420; ++day) {
    now_ns += kDayS * kSecondNs;
    order.advance(now_ns, kWall + now_ns);
    bool read = false;
    while (const auto piece = order.next()) {
      EXPECT_EQ(piece->reason, ScanReason::recheck);
      EXPECT_LT(piece->sectors.first, Sector{} + kScanSegment);
      order.finished(ScanResult::good);
      read = true;
    }
    if (read) weeks.push_back(day / 7);
  }
  EXPECT_EQ(weeks, (std::vector<std::uint64_t>{1, 2, 4, 8, 12, 16, 20, 24, 28, 32}));
  EXPECT_TRUE(order.record().places.empty());
}

TEST(ScanOrder, TroubleAtARecheckBeginsItsRoundsAnew) {
  ScanRecord record = decode_scan_record({}, mib(256));
  record.step = ScanLayout(mib(256)).steps();
  record.places = {{17, 5, false, 0}};
  ScanOrder order(record, {.pass_interval_s = 10'000 * kDayS});
  order.advance(0, kWall);
  ASSERT_EQ(order.next()->reason, ScanReason::recheck);
  order.finished(ScanResult::trouble);
  while (order.next()) order.finished(ScanResult::good);
  // It was known: nothing is read around it.
  EXPECT_EQ(order.record().places, (std::vector<RecheckPlace>{{17, 0, false, kWeekS}}));
  EXPECT_EQ(order.progress().next_due_s, kWeekS);
}

TEST(ScanOrder, TroubleMakesPassesMoreFrequentForTenWeeks) {
  Scan scan{mib(256)};
  EXPECT_EQ(scan.order().pass_interval_s(), 14 * kDayS);
  scan.spoil({1000});
  scan.read_all();
  EXPECT_EQ(scan.order().pass_interval_s(), 14 * kDayS / 4);
  scan.wait(2 * kWeekS + 1);
  EXPECT_EQ(scan.order().pass_interval_s(), 7 * kDayS);
  // No step of time counts for more than four weeks.
  scan.wait(4 * kWeekS);
  scan.wait(4 * kWeekS);
  EXPECT_EQ(scan.order().pass_interval_s(), 14 * kDayS);
}

TEST(ScanOrder, ThePassBeginsAnIntervalAfterTheLastOne) {
  Scan scan{mib(256)};
  scan.read_all();
  EXPECT_EQ(scan.order().progress().next_due_s, 14 * kDayS);
  scan.wait(14 * kDayS - 1);
  EXPECT_FALSE(scan.read());
  scan.wait(1);
  expect_whole_disk_once(scan.read_all(), mib(256));
  EXPECT_EQ(scan.order().record().passes, 2U);
  scan.order().begin_pass();
  expect_whole_disk_once(scan.read_all(), mib(256));
}

TEST(ScanOrder, APassThatLagsIsOverdueUntilItCatchesUp) {
  Scan scan{mib(256)};
  EXPECT_FALSE(scan.order().overdue());
  scan.wait(3 * kDayS);
  EXPECT_TRUE(scan.order().overdue());
  for (unsigned i = 0; i < 256; ++i) scan.read();
  EXPECT_FALSE(scan.order().overdue());
  scan.read_all();
  scan.wait(10 * kDayS);
  EXPECT_FALSE(scan.order().overdue());
}

// Runs with a clock on the wall that does what it likes; how many passes are finished in the days
// of running, with all the reading that is due done at once.
std::uint64_t passes_in(unsigned days, auto wall_of_hour) {
  ScanOrder order(decode_scan_record({}, mib(4)));
  for (std::uint64_t hour = 0; hour < std::uint64_t{24} * days; ++hour) {
    order.advance(hour * 3600 * kSecondNs, wall_of_hour(hour));
    while (order.next()) order.finished(ScanResult::good);
  }
  return order.record().passes;
}

TEST(ScanClockTest, AWallClockThatJumpsNeitherStopsThePassesNorMultipliesThem) {
  const auto steady = [](std::uint64_t hour) { return kWall + hour * 3600 * kSecondNs; };
  EXPECT_EQ(passes_in(140, steady), 10U);
  // Back by ten years on day 30: no effect at all.
  EXPECT_EQ(passes_in(140,
                      [&](std::uint64_t hour) {
                        return steady(hour) - (hour >= 720 ? 315'360'000 * kSecondNs : 0);
                      }),
            10U);
  // Ahead by ten years: one pass is due early.
  const auto ahead = passes_in(140, [&](std::uint64_t hour) {
    return steady(hour) + (hour >= 720 ? 315'360'000 * kSecondNs : 0);
  });
  EXPECT_GE(ahead, 10U);
  EXPECT_LE(ahead, 12U);
  // It stands still, or is at its lowest or highest value.
  EXPECT_EQ(passes_in(140, [](std::uint64_t) { return kWall; }), 10U);
  EXPECT_EQ(passes_in(140, [](std::uint64_t) { return std::uint64_t{0}; }), 10U);
  EXPECT_EQ(passes_in(140, [](std::uint64_t) { return UINT64_MAX; }), 10U);
}

TEST(ScanClockTest, AMachineWhoseClockBeginsAnewAtEachBootIsScannedAllTheSame) {
  ScanRecord record = decode_scan_record({}, mib(4));
  for (unsigned boot = 0; boot < 140; ++boot) {
    ScanOrder order(record);
    for (std::uint64_t hour = 0; hour <= 24; ++hour) {
      order.advance(hour * 3600 * kSecondNs, hour * 3600 * kSecondNs);  // 1970
      while (order.next()) order.finished(ScanResult::good);
    }
    record = decode_scan_record(encode_scan_record(order.record()), mib(4));
  }
  EXPECT_EQ(record.passes, 11U);  // the last one begins as the last day ends
}

TEST(ScanClockTest, TheTimeThatAMachineWasOffCounts) {
  Scan scan{mib(4)};
  scan.read_all();
  ScanOrder order(scan.order().record());
  order.advance(77, kWall + 14 * kDayS * kSecondNs);
  EXPECT_TRUE(order.next());
}

TEST(ScanClockTest, AMonotonicClockThatGoesBackStopsNothing) {
  ScanClock clock;
  clock.advance(1000 * kSecondNs, kWall);
  clock.advance(1 * kSecondNs, kWall);
  EXPECT_EQ(clock.elapsed_s(), 0U);
  clock.advance(11 * kSecondNs, kWall);
  EXPECT_EQ(clock.elapsed_s(), 10U);
  clock.advance(UINT64_MAX, UINT64_MAX);
  EXPECT_LE(clock.elapsed_s(), 10 + 4 * kWeekS);
}

}  // namespace
}  // namespace dmremap::health
