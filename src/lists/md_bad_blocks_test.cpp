// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/md_bad_blocks.hpp"

#include <gtest/gtest.h>

namespace dmremap::lists {
namespace {

using Ranges = std::vector<SectorRange>;

TEST(MdBadBlocks, LinesAreSectorsAndLengths) {
  const auto list = parse_md_bad_blocks("264 8\n1000000 512\n", "bad_blocks");
  ASSERT_TRUE(list) << list.error().message();
  EXPECT_EQ(*list, (Ranges{{{264}, {8}}, {{1'000'000}, {512}}}));
  EXPECT_TRUE(parse_md_bad_blocks("", "bad_blocks")->empty()) << "a member without any";
}

TEST(MdBadBlocks, ALineThatIsNoRangeIsNamed) {
  for (const char* text :
       {"1 8\n2\n", "1 8\n2 0\n", "1 8\n2 8 9\n", "1 8\n-2 8\n", "1 8\n0x2 8\n",
        "1 8\n1099511627775 2\n", "1 8\n1099511627776 1\n", "1 8\n1 18446744073709551615\n"}) {
    const auto list = parse_md_bad_blocks(text, "list");
    ASSERT_FALSE(list) << text;
    EXPECT_EQ(list.error().code, ErrorCode::usage);
    EXPECT_EQ(list.error().where, "list:2");
  }
  EXPECT_TRUE(parse_md_bad_blocks("1099511627775 1\n", "list"));
}

}  // namespace
}  // namespace dmremap::lists
