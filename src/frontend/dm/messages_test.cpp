// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/messages.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::dm {
namespace {

constexpr TableInstance kTable{0x0f20ea33c7a8b61d};
const std::vector<RegionRange> kRanges = {{0, 3}, {9, 1}};

// The texts are those of a guest: tests/guest/payloads/target-*.sh.
TEST(TargetMessages, NameTheVerbTheProtocolAndTheTable) {
  EXPECT_EQ(hello_message(), "hello");
  EXPECT_EQ(mark_message(kTable, kRanges), "mark 1 0f20ea33c7a8b61d 0+3 9+1");
  EXPECT_EQ(clear_message(kTable, kRanges), "clear 1 0f20ea33c7a8b61d 0+3 9+1");
  EXPECT_EQ(drain_message(kTable, 1000, kRanges), "drain 1 0f20ea33c7a8b61d 1000 0+3 9+1");
  EXPECT_EQ(marks_message(kTable, 7), "marks 1 0f20ea33c7a8b61d 7");
  EXPECT_EQ(dirty_message(kTable, 7), "dirty 1 0f20ea33c7a8b61d 7");
  EXPECT_EQ(written_message(kTable, {5}, 7), "written 1 0f20ea33c7a8b61d 5 7");
  EXPECT_EQ(epoch_message(kTable), "epoch 1 0f20ea33c7a8b61d");
  EXPECT_EQ(settle_message(kTable, {5}), "settle 1 0f20ea33c7a8b61d 5");
  EXPECT_EQ(slow_message(kTable, 200, 7), "slow 1 0f20ea33c7a8b61d 200 7");
}

TEST(TargetMessages, HelloNamesTheTable) {
  const auto hello = parse_hello("1 0f20ea33c7a8b61d 64 2048");
  ASSERT_TRUE(hello) << hello.error().message();
  EXPECT_EQ(hello->table, kTable);
  EXPECT_EQ(hello->regions, 64U);
  EXPECT_EQ(hello->region_sectors, SectorCount{2048});
}

TEST(TargetMessages, AnEmptyAnswerIsAFailure) {
  EXPECT_EQ(parse_hello("").error().code, ErrorCode::protocol);
  EXPECT_EQ(parse_count("", kTable).error().what, "the kernel target has not answered");
  EXPECT_FALSE(parse_regions("", kTable));
  EXPECT_FALSE(parse_durable("", kTable));
}

TEST(TargetMessages, AnotherProtocolIsRefused) {
  EXPECT_EQ(parse_hello("2 0f20ea33c7a8b61d 64 2048").error().what,
            "the kernel target speaks another protocol");
  EXPECT_EQ(parse_count("2 0f20ea33c7a8b61d 0", kTable).error().what,
            "the kernel target speaks another protocol");
  EXPECT_EQ(parse_status("protocol 2 what follows is unknown").error().what,
            "the kernel target speaks another protocol");
}

TEST(TargetMessages, AnotherTableIsRefused) {
  EXPECT_EQ(parse_count("1 0f20ea33c7a8b61e 0", kTable).error().what,
            "the table of the kernel target was loaded anew");
  EXPECT_FALSE(parse_regions("1 0f20ea33c7a8b61e next 64", kTable));
}

TEST(TargetMessages, CountsAreRead) {
  EXPECT_EQ(parse_count("1 0f20ea33c7a8b61d 0", kTable).value(), 0U);
  EXPECT_EQ(parse_count("1 0f20ea33c7a8b61d 16777216", kTable).value(), 16777216U);
}

TEST(TargetMessages, ListsAreReadWithWhereToGoOn) {
  const auto list = parse_regions("1 0f20ea33c7a8b61d 3+1 9+3 next 64", kTable);
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(list->ranges, (std::vector<RegionRange>{{3, 1}, {9, 3}}));
  EXPECT_EQ(list->next, 64U);
  const auto none = parse_regions("1 0f20ea33c7a8b61d next 64", kTable);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->ranges.empty());
}

TEST(TargetMessages, EpochsAreRead) {
  const auto epochs = parse_epochs("1 0f20ea33c7a8b61d 4294967295 119", kTable);
  ASSERT_TRUE(epochs);
  EXPECT_EQ(epochs->ended, Epoch{4294967295U});
  EXPECT_EQ(epochs->durable, Epoch{119});
  EXPECT_EQ(parse_durable("1 0f20ea33c7a8b61d 119", kTable).value(), Epoch{119});
}

TEST(TargetMessages, SlowRequestsAreRead) {
  const auto slow = parse_slow("1 0f20ea33c7a8b61d w 4096+8 404 r 8192+16 400 next 2", kTable);
  ASSERT_TRUE(slow) << slow.error().message();
  ASSERT_EQ(slow->requests.size(), 2U);
  EXPECT_TRUE(slow->requests[0].write);
  EXPECT_EQ(slow->requests[0].range.first, Sector{4096});
  EXPECT_EQ(slow->requests[0].range.count, SectorCount{8});
  EXPECT_EQ(slow->requests[0].milliseconds, 404U);
  EXPECT_FALSE(slow->requests[1].write);
  EXPECT_EQ(slow->next, 2U);
}

// A part of an answer must not be taken for the whole: a list that was cut would lack regions.
TEST(TargetMessages, WhatIsCutOrTooLongIsRefused) {
  const std::string whole = "1 0f20ea33c7a8b61d 3+1 9+3 next 64";
  for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
    EXPECT_FALSE(parse_regions(whole.substr(0, length), kTable)) << length;
  }
  EXPECT_FALSE(parse_regions(whole + " 65", kTable));
  const std::string slow = "1 0f20ea33c7a8b61d w 4096+8 404 next 2";
  for (std::size_t length = 0; length < slow.size(); ++length) {
    EXPECT_FALSE(parse_slow(slow.substr(0, length), kTable)) << length;
  }
}

TEST(TargetMessages, WhatIsNotANumberIsRefused) {
  for (const std::string text : {"-1", "+1", "1x", "0x1", "18446744073709551616", "1  2", " 1"}) {
    EXPECT_FALSE(parse_count("1 0f20ea33c7a8b61d " + text, kTable)) << text;
  }
  for (const std::string text : {"3", "3+", "+3", "3+1+1", "4294967296+1", "a+b"}) {
    EXPECT_FALSE(parse_regions("1 0f20ea33c7a8b61d " + text + " next 64", kTable)) << text;
  }
  EXPECT_FALSE(parse_count("1 f20ea33c7a8b61d 0", kTable)) << "15 digits";
  EXPECT_FALSE(parse_slow("1 0f20ea33c7a8b61d x 4096+8 404 next 1", kTable));
}

TEST(TargetMessages, StatusIsReadByName) {
  const auto status = parse_status(
      "protocol 1 instance 0f20ea33c7a8b61d regions 64 marked 3 sent 811 waiting 2 escalated 4 "
      "failed 1 "
      "epoch 120 durable 119");
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(status->table, kTable);
  EXPECT_EQ(status->regions, 64U);
  EXPECT_EQ(status->marked, 3U);
  EXPECT_EQ(status->sent, 811U);
  EXPECT_EQ(status->waiting, 2U);
  EXPECT_EQ(status->escalated, 4U);
  EXPECT_EQ(status->failed, 1U);
  EXPECT_TRUE(parse_status("protocol 1 instance 0f20ea33c7a8b61d later 7"));
  EXPECT_FALSE(parse_status(""));
  EXPECT_FALSE(parse_status("protocol 1 instance 0f20ea33c7a8b61d regions"));
  EXPECT_FALSE(parse_status("64 3 811"));
}

}  // namespace
}  // namespace dmremap::dm
