// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/scan_memory.hpp"

#include <array>
#include <cstdint>

#include <gtest/gtest.h>

#include "format/body.hpp"

namespace dmremap::set {
namespace {

format::ScanSection some_scan() {
  return {true, 1'000'000, 60, 360, std::vector<std::byte>(72, std::byte{7})};
}

TEST(ScanMemory, IsWhatWasStoredAndTakesNoMoreRoomLater) {
  format::Records records;
  EXPECT_FALSE(stored_scan(records));
  store_scan(records, some_scan());
  EXPECT_FALSE(has_scan_memory(records)) << "no room was reserved";
  reserve_scan_memory(records, 10'000);
  EXPECT_EQ(stored_scan(records), format::ScanSection{});
  const std::size_t capacity = format::table_capacity(records.unknown);
  EXPECT_GE(capacity, 10'000U);
  store_scan(records, some_scan());
  EXPECT_EQ(stored_scan(records), some_scan());
  reserve_scan_memory(records, 10'000);
  EXPECT_EQ(stored_scan(records), some_scan()) << "it is there already";
  EXPECT_EQ(format::table_capacity(records.unknown), capacity);
}

TEST(ScanMemory, GivesWayToATableThatIsFull) {
  format::Records records;
  reserve_scan_memory(records, format::table_capacity({}));
  EXPECT_TRUE(has_scan_memory(records)) << "alone it fits the rest of a block";
  records.unknown = {{99, 0, std::vector<std::byte>(2'000)}};
  reserve_scan_memory(records, format::table_capacity(records.unknown));
  EXPECT_FALSE(has_scan_memory(records));
}

TEST(ScanMemory, WhatMakesNoSenseIsNone) {
  for (const std::size_t at : {1U, 7U, 17U, 19U, 20U, 55U, 128U, 1151U}) {
    format::Records records;
    reserve_scan_memory(records, 0);
    store_scan(records, some_scan());
    records.unknown.back().bytes.at(at) = std::byte{0xff};
    EXPECT_FALSE(stored_scan(records)) << at;
  }
}

TEST(ScanMemory, IsWhereThePageOfTheFormatSays) {
  std::vector<std::byte> bytes(format::kScanSectionBytes);
  format::pack_scan_section(some_scan(), std::span(bytes));
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes.at(i)); };
  EXPECT_EQ(at(0), 1U);
  EXPECT_EQ(at(4), 72U);
  EXPECT_EQ(at(8) | at(9) << 8U | at(10) << 16U, 1'000'000U);
  EXPECT_EQ(at(16), 60U);
  EXPECT_EQ(at(18) | at(19) << 8U, 360U);
  EXPECT_EQ(at(56), 7U);
}

}  // namespace
}  // namespace dmremap::set
