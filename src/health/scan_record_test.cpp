// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/scan_record.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/endian.hpp"
#include "base/units.hpp"
#include "health/scan_order.hpp"

namespace dmremap::health {
namespace {

constexpr SectorCount kDisk{1'000'000};  // 489 segments

ScanRecord some_record() {
  ScanRecord record;
  record.size = kDisk;
  record.passes = 7;
  record.step = 300;
  record.elapsed_s = 100 * kDayS;
  record.wall_s = 1'700'000'000;
  record.pass_began_s = 95 * kDayS;
  record.last_trouble_s = 96 * kDayS;
  record.last_complete_wall_s = 1'699'000'000;
  record.places = {{17, 3, true, 101 * kDayS}, {488, 0, false, 99 * kDayS}};
  return record;
}

// Whatever was decoded, a scanner that begins with it reads within the disk and comes to an end.
void expect_usable(const ScanRecord& record, SectorCount size) {
  EXPECT_EQ(record.size, size);
  const ScanLayout layout(size);
  EXPECT_LE(record.step, layout.steps());
  EXPECT_LE(record.pass_began_s, record.elapsed_s);
  EXPECT_LE(record.last_trouble_s, record.elapsed_s);
  EXPECT_LE(record.places.size(), kRecheckPlacesMax);
  EXPECT_EQ(decode_scan_record(encode_scan_record(record), size), record);
  ScanOrder order(record);
  order.advance(0, record.wall_s);
  std::uint64_t reads = 0;
  while (const auto piece = order.next()) {
    ASSERT_FALSE(piece->sectors.empty());
    ASSERT_LE(piece->sectors.end(), Sector{} + size);
    order.finished(ScanResult::good);
    ASSERT_LT(++reads, 4 * size.value);
  }
  // And it goes on after it.
  if (size.value == 0) return;
  order.advance(15 * kDayS * kSecondNs, 0);
  EXPECT_TRUE(order.next());
}

TEST(ScanRecordTest, WhatIsStoredComesBack) {
  const auto bytes = encode_scan_record(some_record());
  EXPECT_EQ(bytes.size(), 72U + 2 * 16U);
  EXPECT_EQ(decode_scan_record(bytes, kDisk), some_record());
}

TEST(ScanRecordTest, APassThatIsAskedForIsSoUntilItIsOver) {
  for (const PassWish wish : {PassWish::paced, PassWish::full_speed}) {
    ScanRecord record = some_record();
    record.wish = wish;
    const auto bytes = encode_scan_record(record);
    EXPECT_EQ(bytes.size(), encode_scan_record(some_record()).size());
    EXPECT_EQ(decode_scan_record(bytes, kDisk), record);
    // A program that knows nothing of it has a begin in the future, which it takes for now.
    EXPECT_GT(load_le<std::uint64_t>(bytes, 48), record.elapsed_s);
    // On a disk that has grown the pass begins anew, and is asked for all the same.
    EXPECT_EQ(decode_scan_record(bytes, kDisk + kDisk).wish, wish);
    record.step = ScanLayout(kDisk).steps();
    EXPECT_EQ(decode_scan_record(encode_scan_record(record), kDisk).wish, PassWish::none);
  }
}

TEST(ScanRecordTest, ARestartGoesOnWhereItWasAndReadsTheSurroundingsThatWereLeft) {
  ScanOrder order(decode_scan_record({}, kDisk));
  order.advance(0, kSecondNs);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(order.next());
    order.finished(ScanResult::good);
  }
  const std::uint64_t step = order.record().step;
  const auto bad = order.next();
  order.finished(ScanResult::trouble);
  ScanOrder after(decode_scan_record(encode_scan_record(order.record()), kDisk));
  EXPECT_EQ(after.record().step, step);
  std::uint64_t around = 0;
  while (after.next()->reason == ScanReason::surroundings) {
    around += after.next()->sectors.count.value;
    after.finished(ScanResult::good);
  }
  const std::uint64_t segment = bad->sectors.first.value / kScanSegment.value;
  EXPECT_EQ(around, (std::min<std::uint64_t>(segment, 10) + 11) * kScanSegment.value);
  EXPECT_FALSE(after.record().places.at(0).surroundings_due);
}

TEST(ScanRecordTest, ADiskOfAnotherSizeBeginsItsPassAnew) {
  const auto bytes = encode_scan_record(some_record());
  const ScanRecord grown = decode_scan_record(bytes, kDisk + kDisk);
  EXPECT_EQ(grown.step, 0U);
  EXPECT_EQ(grown.passes, 7U);
  EXPECT_EQ(grown.pass_began_s, grown.elapsed_s);
  EXPECT_EQ(grown.places.size(), 2U);
  const ScanRecord smaller = decode_scan_record(bytes, {500'000});
  EXPECT_EQ(smaller.step, 0U);
  ASSERT_EQ(smaller.places.size(), 1U);
  EXPECT_EQ(smaller.places[0].segment, 17U);
  expect_usable(decode_scan_record(bytes, {1}), {1});
  expect_usable(decode_scan_record(bytes, {0}), {0});
}

TEST(ScanRecordTest, APositionBeyondTheDiskBeginsThePassAnew) {
  ScanRecord record = some_record();
  record.step = ScanLayout(kDisk).steps() + 1;
  const ScanRecord decoded = decode_scan_record(encode_scan_record(record), kDisk);
  EXPECT_EQ(decoded.step, 0U);
  EXPECT_EQ(decoded.pass_began_s, decoded.elapsed_s);
  // At its end a pass is over.
  --record.step;
  EXPECT_EQ(decode_scan_record(encode_scan_record(record), kDisk), record);
}

TEST(ScanRecordTest, NoPlaceIsDueLaterThanItsInterval) {
  ScanRecord record = some_record();
  record.places = {{17, 3, false, UINT64_MAX}};
  const auto decoded = decode_scan_record(encode_scan_record(record), kDisk);
  EXPECT_EQ(decoded.places.at(0).due_s, record.elapsed_s + 4 * kWeekS);
}

TEST(ScanRecordTest, AnotherVersionOrACutOffRecordBeginsWithNothing) {
  auto bytes = encode_scan_record(some_record());
  const ScanRecord nothing = decode_scan_record({}, kDisk);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode_scan_record(std::span(bytes).first(size), kDisk), nothing) << size;
  }
  store_le<std::uint32_t>(bytes, 0, 2);
  EXPECT_EQ(decode_scan_record(bytes, kDisk), nothing);
}

TEST(ScanRecordTest, NoMoreIsWrittenThanThereIsRoomFor) {
  ScanRecord record = some_record();
  record.places.assign(1000, {});
  EXPECT_EQ(encode_scan_record(record).size(), kScanRecordMaxBytes);
}

RC_GTEST_PROP(ScanRecordTest, AnyBytesAreUsable, ()) {
  const auto size = *rc::gen::inRange<std::uint64_t>(0, 300'000);
  ScanRecord record = some_record();
  // Of this disk, or of another one.
  if (*rc::gen::arbitrary<bool>()) record.size = {size};
  auto bytes = encode_scan_record(record);
  bytes.resize(bytes.size() + *rc::gen::inRange<std::size_t>(0, 64));
  const auto changes = *rc::gen::inRange<unsigned>(0, 40);
  for (unsigned i = 0; i < changes; ++i) {
    // The version stays, or there would be nothing to try.
    const auto at = *rc::gen::inRange<std::size_t>(4, bytes.size());
    bytes[at] = std::byte{*rc::gen::arbitrary<std::uint8_t>()};
  }
  expect_usable(decode_scan_record(bytes, {size}), {size});
  RC_ASSERT(!::testing::Test::HasFailure());
}

}  // namespace
}  // namespace dmremap::health
