// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/badblocks_list.hpp"

#include <gtest/gtest.h>

namespace dmremap::lists {
namespace {

using Ranges = std::vector<SectorRange>;

TEST(BadblocksList, ABlockIsAsLargeAsItsListSays) {
  EXPECT_EQ(parse_badblocks("3\n4\n9\n", "list", 1024).value(), (Ranges{{{6}, {4}}, {{18}, {2}}}));
  EXPECT_EQ(parse_badblocks("3\n", "list", 4096).value(), (Ranges{{{24}, {8}}}));
  EXPECT_EQ(parse_badblocks("3\n", "list", 512).value(), (Ranges{{{3}, {1}}}));
}

TEST(BadblocksList, OrderBlanksAndCommentsDoNotMatter) {
  EXPECT_EQ(parse_badblocks("# disk 1\n  9\r\n\n3 # twice\n3", "list", 512).value(),
            (Ranges{{{9}, {1}}, {{3}, {1}}, {{3}, {1}}}));
}

TEST(BadblocksList, EmptyMeansNothingIsBad) {
  EXPECT_TRUE(parse_badblocks("", "list", 1024).value().empty());
}

TEST(BadblocksList, GarbageIsRefusedWithItsLine) {
  for (const char* text : {"7\nx\n", "7\n-1\n", "7\n0x10\n", "7\n1 2\n", "7\n1.5\n",
                           "7\n549755813888\n", "7\n99999999999999999999\n", "7\n\xff\n"}) {
    const auto ranges = parse_badblocks(text, "list", 1024);
    ASSERT_FALSE(ranges) << text;
    EXPECT_EQ(ranges.error().where, "list:2") << text;
    EXPECT_FALSE(ranges.error().hint.empty()) << text;
  }
  EXPECT_TRUE(parse_badblocks("549755813887\n", "list", 1024)) << "the last block there can be";
}

TEST(BadblocksList, EveryTouchedBlockIsPrintedOnce) {
  EXPECT_EQ(print_badblocks(Ranges{{{1}, {1}}, {{2}, {4}}, {{7}, {1}}, {{20}, {1}}}, 1024),
            "0\n1\n2\n3\n10\n");
  EXPECT_EQ(print_badblocks(Ranges{{{1}, {1}}, {{6}, {4}}}, 4096), "0\n1\n");
  EXPECT_EQ(print_badblocks({}, 1024), "");
}

TEST(BadblocksList, BlocksAreWholeSectors) {
  for (const std::uint64_t size : {512U, 1024U, 4096U, 67'108'864U}) {
    EXPECT_TRUE(check_badblocks_size(size)) << size;
  }
  for (const std::uint64_t size : {0U, 1U, 1000U, 67'109'376U}) {
    EXPECT_FALSE(check_badblocks_size(size)) << size;
  }
}

}  // namespace
}  // namespace dmremap::lists
