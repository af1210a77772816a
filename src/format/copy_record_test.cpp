// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/copy_record.hpp"

#include <gtest/gtest.h>

#include "format/body.hpp"

namespace dmremap::format {
namespace {

constexpr CopyRecord kRecord{41, 99, {7}};

TEST(CopyRecord, IsFoundInTheCommitThatItNamesAlone) {
  Content content;
  EXPECT_FALSE(copy_record_in(content, 0));
  ASSERT_TRUE(put_copy_record(content, kRecord));
  EXPECT_EQ(copy_record_in(content, 41), kRecord);
  EXPECT_FALSE(copy_record_in(content, 42)) << "carried along by a program that does not know it";
  EXPECT_FALSE(copy_record_in(content, 40));
  ASSERT_TRUE(put_copy_record(content, {43, 1, {0}}));
  EXPECT_EQ(content.unknown.size(), 1U);
  drop_copy_record(content);
  EXPECT_TRUE(content.unknown.empty());
}

TEST(CopyRecord, OtherSectionsStay) {
  Content content;
  content.unknown.push_back({77, 0, {std::byte{1}}});
  ASSERT_TRUE(put_copy_record(content, kRecord));
  drop_copy_record(content);
  EXPECT_EQ(content.unknown.size(), 1U);
  content.unknown.resize(12);
  EXPECT_FALSE(put_copy_record(content, kRecord)) << "no room";
}

TEST(CopyRecord, WhatIsNoneIsNone) {
  for (const std::size_t byte : {24U, 63U}) {
    Content content;
    put_copy_record(content, kRecord);
    content.unknown[0].bytes[byte] = std::byte{1};
    EXPECT_FALSE(copy_record_in(content, 41));
  }
  for (const std::size_t length : {0U, 63U, 65U}) {
    Content content;
    put_copy_record(content, kRecord);
    content.unknown[0].bytes.resize(length);
    EXPECT_FALSE(copy_record_in(content, 41));
  }
}

TEST(CopyRecord, TakesNoRoomFromTheTable) {
  Content content;
  const std::size_t room = table_capacity(content.unknown);
  put_copy_record(content, kRecord);
  EXPECT_EQ(table_capacity(content.unknown), room);
}

}  // namespace
}  // namespace dmremap::format
