// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/kept_sections.hpp"

#include <array>
#include <cstdint>

#include <gtest/gtest.h>

#include "format/body.hpp"

namespace dmremap::set {
namespace {

format::ScanSection some_scan() {
  return {true, 1'000'000, 60, 360, std::vector<std::byte>(72, std::byte{7})};
}

TEST(KeptSections, IsWhatWasStoredAndTakesNoMoreRoomLater) {
  format::Records records;
  EXPECT_FALSE(stored_scan(records));
  store(records, some_scan());
  EXPECT_FALSE(has_scan(records)) << "no room was reserved";
  reserve_kept_sections(records, 10'000);
  EXPECT_EQ(stored_scan(records), format::ScanSection{});
  const std::size_t capacity = format::table_capacity(records.unknown);
  EXPECT_GE(capacity, 10'000U);
  store(records, some_scan());
  EXPECT_EQ(stored_scan(records), some_scan());
  reserve_kept_sections(records, 10'000);
  EXPECT_EQ(stored_scan(records), some_scan()) << "it is there already";
  EXPECT_EQ(format::table_capacity(records.unknown), capacity);
}

TEST(KeptSections, GiveWayToATableThatIsFull) {
  format::Records records;
  reserve_kept_sections(records, format::table_capacity({}));
  EXPECT_TRUE(has_scan(records)) << "alone it fits the rest of a block";
  EXPECT_FALSE(has_disk_history(records));
  EXPECT_TRUE(stored_latency(records)) << "so does this beside it";
  reserve_kept_sections(records, 10'200);
  EXPECT_TRUE(has_disk_history(records));
  EXPECT_GE(format::table_capacity(records.unknown), 10'200U);
  records.unknown = {{99, 0, std::vector<std::byte>(2'000)}};
  reserve_kept_sections(records, format::table_capacity(records.unknown));
  EXPECT_FALSE(has_scan(records));
}

TEST(KeptSections, WhatMakesNoSenseIsNone) {
  for (const std::size_t at : {1U, 7U, 17U, 19U, 20U, 55U, 128U, 1151U}) {
    format::Records records;
    reserve_kept_sections(records, 0);
    store(records, some_scan());
    records.unknown.front().bytes.at(at) = std::byte{0xff};
    EXPECT_FALSE(stored_scan(records)) << at;
  }
}

TEST(KeptSections, APolicyIsThereOnceSomethingWasChosen) {
  format::Records records;
  EXPECT_EQ(policy_of(records).boot_wait_s, 30U);
  EXPECT_TRUE(choose_policy(records, 0, {30}));
  EXPECT_TRUE(records.unknown.empty()) << "the default needs no section";
  EXPECT_TRUE(choose_policy(records, 0, {90}));
  EXPECT_EQ(policy_of(records).boot_wait_s, 90U);
  EXPECT_TRUE(choose_policy(records, 0, {30}));
  EXPECT_EQ(policy_of(records).boot_wait_s, 30U);
  EXPECT_EQ(records.unknown.size(), 1U);
  records.unknown.front().bytes.at(4) = std::byte{1};
  EXPECT_EQ(policy_of(records), format::PolicySection{}) << "what makes no sense says nothing";
}

TEST(KeptSections, ATableThatIsFullLeavesNoRoomForAPolicy) {
  format::Records records;
  // To the end of a block.
  records.unknown = {{99, 0, std::vector<std::byte>(6'368)}};
  EXPECT_FALSE(choose_policy(records, format::table_capacity(records.unknown), {90}));
  EXPECT_EQ(policy_of(records).boot_wait_s, 30U);
}

TEST(KeptSections, BesideAPolicyThereIsRoomForTenThousandEntries) {
  format::Records records;
  ASSERT_TRUE(choose_policy(records, 0, {90}));
  reserve_kept_sections(records, 10'000);
  EXPECT_TRUE(has_scan(records) && has_disk_history(records) && stored_latency(records));
  EXPECT_GE(format::table_capacity(records.unknown), 10'000U);
}

format::DiskHistorySection some_history() {
  return {true, 1'700'000'000, 41, "WD-1234", std::vector<std::byte>(300, std::byte{7})};
}

TEST(KeptSections, TheHistoryOfTheDiskIsWhatWasStored) {
  format::Records records;
  EXPECT_FALSE(stored_disk_history(records));
  reserve_kept_sections(records, 10'000);
  EXPECT_EQ(stored_disk_history(records), format::DiskHistorySection{});
  store(records, some_history());
  EXPECT_EQ(stored_disk_history(records), some_history());
  store(records, some_scan());
  EXPECT_EQ(stored_scan(records), some_scan());
  EXPECT_EQ(stored_disk_history(records), some_history());
}

TEST(KeptSections, AHistoryThatMakesNoSenseIsNone) {
  for (const std::size_t at : {1U, 6U, 20U, 23U, 24U, 90U, 127U, 428U, 3'903U}) {
    format::Records records;
    reserve_kept_sections(records, 0);
    store(records, some_history());
    records.unknown.at(1).bytes.at(at) = std::byte{0x1f};
    EXPECT_FALSE(stored_disk_history(records)) << at;
  }
}

format::LatencySection some_latency() {
  return {std::vector<std::byte>(40, std::byte{7})};
}

TEST(KeptSections, TheLatencyAcrossTheDiskIsWhatWasStored) {
  format::Records records;
  EXPECT_FALSE(stored_latency(records));
  store(records, some_latency());
  EXPECT_TRUE(records.unknown.empty()) << "no room was reserved";
  // Whoever has the others already, by a program of before, gets it too.
  reserve_kept_sections(records, 10'000);
  records.unknown.pop_back();
  EXPECT_FALSE(stored_latency(records));
  store(records, some_history());
  reserve_kept_sections(records, 10'000);
  EXPECT_EQ(stored_latency(records), format::LatencySection{});
  store(records, some_latency());
  store(records, some_scan());
  EXPECT_EQ(stored_latency(records), some_latency());
  EXPECT_EQ(stored_scan(records), some_scan());
  EXPECT_EQ(stored_disk_history(records), some_history());
  records.unknown.back().bytes.at(4) = std::byte{1};
  EXPECT_FALSE(stored_latency(records)) << "what makes no sense is none";
}

TEST(KeptSections, SectionsOfLaterVersionsLeaveThemTheirRoom) {
  format::Records records;
  records.unknown = {{99, 0, std::vector<std::byte>(16)}, {100, 0, std::vector<std::byte>(16)}};
  reserve_kept_sections(records, 10'000);
  EXPECT_TRUE(stored_scan(records) && stored_disk_history(records) && stored_latency(records));
}

TEST(KeptSections, IsWhereThePageOfTheFormatSays) {
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
