// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/mapfile.hpp"

#include <gtest/gtest.h>

#include "base/parse.hpp"

namespace dmremap::lists {
namespace {

using Status = MapfileArea::Status;
using Areas = std::vector<MapfileArea>;

TEST(Mapfile, EveryStatusIsRead) {
  const auto areas = parse_mapfile(
      "# Mapfile. Created by GNU ddrescue version 1.27\n"
      "# current_pos  current_status  current_pass\n"
      "0x00001000     ?               1\n"
      "#      pos        size  status\n"
      "0x00000000  0x00000200  +\n"
      "0x00000200  0x00000200  -\n"
      "0x00000400  0x00000400  /\n"
      "0x00000800  0x00000800  *\n"
      "0x00001000  0x00001000  ?\n",
      "map");
  ASSERT_TRUE(areas) << areas.error().message();
  EXPECT_EQ(*areas, (Areas{{0, 512, Status::finished},
                           {512, 512, Status::bad},
                           {1024, 1024, Status::non_scraped},
                           {2048, 2048, Status::non_trimmed},
                           {4096, 4096, Status::untried}}));
}

TEST(Mapfile, NumbersAreThoseOfC) {
  const auto areas = parse_mapfile("0 +\n0 010 +\n010 0X1F8 -\n512 512 +\n", "map");
  ASSERT_TRUE(areas) << areas.error().message();
  EXPECT_EQ((*areas)[1], (MapfileArea{8, 504, Status::bad}));
}

TEST(Mapfile, UntriedUpToTheEndOfNumbersIsNoError) {
  // ddrescue does not know the size of a pipe.
  const auto areas = parse_mapfile("0 ?\n0 512 -\n512 0x7FFFFFFFFFFFFDFF ?\n", "map");
  ASSERT_TRUE(areas) << areas.error().message();
  EXPECT_EQ(areas->size(), 2U);
}

TEST(Mapfile, PartlyBadSectorIsTouched) {
  EXPECT_EQ((MapfileArea{700, 400, Status::bad}).sectors(), (SectorRange{{1}, {2}}));
  EXPECT_EQ((MapfileArea{512, 512, Status::bad}).sectors(), (SectorRange{{1}, {1}}));
  EXPECT_TRUE((MapfileArea{512, 0, Status::bad}).sectors().empty());
}

TEST(Mapfile, GarbageIsRefusedWithItsLine) {
  const std::pair<const char*, const char*> kCases[] = {
      {"0 + 1 2\n", "map:1"},
      {"0 x 1\n", "map:1"},
      {"0\n", "map:1"},
      {"-1 +\n", "map:1"},
      {"12z +\n", "map:1"},
      {"\xff\xfe\n", "map:1"},
      {"# c\n\n0 +\n0 512\n", "map:4"},
      {"0 +\n0 512 !\n", "map:2"},
      {"0 +\n0 512 ++\n", "map:2"},
      {"0 +\n0 0xZZ -\n", "map:2"},
      {"0 +\n0 08 -\n", "map:2"},
      {"0 +\n0 -512 -\n", "map:2"},
      {"0 +\n0 512 +\n1024 512 -\n", "map:3"},
      {"0 +\n0 1024 +\n512 512 -\n", "map:3"},
      {"0 +\n0 0xFFFFFFFFFFFFFFFF -\n", "map:2"},
      {"0 +\n512 0xFFFFFFFFFFFFFFFF +\n", "map:2"},
      {"0 +\n0 0x2000000000200 *\n", "map:2"},
  };
  for (const auto& [text, where] : kCases) {
    const auto areas = parse_mapfile(text, "map");
    ASSERT_FALSE(areas) << text;
    EXPECT_EQ(areas.error().where, where) << text;
    EXPECT_EQ(areas.error().code, ErrorCode::usage) << text;
    EXPECT_FALSE(areas.error().hint.empty()) << text;
  }
  EXPECT_FALSE(parse_mapfile("", "map"));
}

TEST(Mapfile, WhatIsPrintedReadsBack) {
  const Areas areas{
      {0, 512, Status::bad}, {512, 1536, Status::non_trimmed}, {2048, 4096, Status::untried}};
  const std::string text = print_mapfile(areas, "tests");
  EXPECT_TRUE(text.starts_with("# Mapfile. Created by tests\n")) << text;
  EXPECT_EQ(parse_mapfile(text, "map").value(), areas);
}

TEST(Mapfile, NeighboursOfOneStatusAreOneArea) {
  const Areas areas{{0, 512, Status::bad}, {512, 512, Status::bad}, {1024, 0, Status::untried}};
  EXPECT_EQ(parse_mapfile(print_mapfile(areas, "tests"), "map").value(),
            (Areas{{0, 1024, Status::bad}}));
}

}  // namespace
}  // namespace dmremap::lists
