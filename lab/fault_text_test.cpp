// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault_text.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace dmremap::lab {
namespace {

SectorRange range(std::uint64_t first, std::uint64_t count) {
  return {{first}, {count}};
}

TEST(Kinds, EachIsParsedAndPrintedBack) {
  for (const char* text :
       {"read", "write", "read:ENODATA", "write:ENOSPC", "until-written", "slow:7000", "flaky:0.25",
        "flaky:0", "flaky:1", "read:EILSEQ+write+until-written+slow:20+flaky:0.5"}) {
    const auto fault = parse_kinds(text);
    ASSERT_TRUE(fault) << text << ": " << fault.error().message();
    EXPECT_EQ(print_kinds(*fault), text);
  }
}

TEST(Kinds, OrderDoesNotMatterAndEioIsTheDefault) {
  EXPECT_EQ(parse_kinds("slow:5+read:EIO").value(), (Fault{.read_errno = EIO, .slow_ms = 5}));
}

TEST(Kinds, AnythingElseIsWrongUsage) {
  for (const char* text : {"",
                           "+",
                           "read+",
                           "+read",
                           "reads",
                           "READ",
                           "read:",
                           "read:5",
                           "read:ENOSUCH",
                           "read:eio",
                           "write:",
                           "until-written:1",
                           "slow",
                           "slow:",
                           "slow:0",
                           "slow:-1",
                           "slow:1s",
                           "slow:3600001",
                           "flaky",
                           "flaky:",
                           "flaky:1.1",
                           "flaky:-0.1",
                           "flaky:nan",
                           "flaky:inf",
                           "flaky:50%",
                           "read+read",
                           "read+read:ENODATA",
                           "slow:1+slow:2",
                           "read,write"}) {
    const auto fault = parse_kinds(text);
    ASSERT_FALSE(fault) << text;
    EXPECT_EQ(fault.error().code, ErrorCode::usage) << text;
  }
}

TEST(List, RoundTripsEveryKind) {
  const std::vector<FaultRun> runs{
      {range(0, 1), {.read_errno = EIO}},
      {range(8, 8), {.read_errno = ENODATA, .until_written = true, .slow_ms = 30}},
      {range(100, 5), {.write_errno = EIO, .flaky = 0.125}}};
  EXPECT_EQ(parse_fault_file(print_list(runs), "list").value(), runs);
}

TEST(List, TakesCommentsBlankLinesAndCarriageReturns) {
  const auto runs = parse_fault_file("# bad\r\n\r\n  read 5   # one\r\n\twrite\t6+2", "list");
  ASSERT_TRUE(runs) << runs.error().message();
  EXPECT_EQ(*runs, (std::vector<FaultRun>{{range(5, 1), {.read_errno = EIO}},
                                          {range(6, 2), {.write_errno = EIO}}}));
}

TEST(List, ErrorNamesFileAndLine) {
  const auto runs = parse_fault_file("read 1\n\nread x\n", "faults.txt");
  ASSERT_FALSE(runs);
  EXPECT_EQ(runs.error().where, "faults.txt:3");
}

TEST(Mapfile, BadSectorAreasAreReadFaults) {
  const auto runs = parse_fault_file(
      "# Mapfile. Created by GNU ddrescue version 1.27\n"
      "# current_pos  current_status  current_pass\n"
      "0x00000000     ?               1\n"
      "#      pos        size  status\n"
      "0x00000000  0x00001000  +\n"
      "0x00001000  0x00000200  -\n"
      "0x00001200  0x00000400  *\n"
      "0x00001600  0x00000200  /\n"
      "0x00001800  1024        -\n"
      "0x00001C00  0x7FFFFFFFFFFFE3FF  ?\n",
      "map");
  ASSERT_TRUE(runs) << runs.error().message();
  EXPECT_EQ(*runs, (std::vector<FaultRun>{{range(8, 1), {.read_errno = EIO}},
                                          {range(12, 2), {.read_errno = EIO}}}));
}

TEST(Mapfile, PartlyBadSectorIsBad) {
  const auto runs = parse_fault_file("0 +\n0 700 +\n700 400 -\n1100 900 +\n", "map");
  ASSERT_TRUE(runs) << runs.error().message();
  EXPECT_EQ(*runs, (std::vector<FaultRun>{{range(1, 2), {.read_errno = EIO}}}));
}

TEST(Mapfile, GarbageIsRefusedWithItsLine) {
  for (const char* text :
       {"0 + 1 2\n", "0 x 1\n", "0\n", "12z +\n", "0 +\n0 512\n", "0 +\n0 512 !\n",
        "0 +\n0 0xZZ -\n", "0 +\n0 512 +\n1024 512 -\n", "0 +\n0 1024 +\n512 512 -\n",
        "0 +\n0 0xFFFFFFFFFFFFFFFF -\n", "0 +\n512 0xFFFFFFFFFFFFFFFF +\n"}) {
    const auto runs = parse_fault_file(text, "map");
    ASSERT_FALSE(runs) << text;
    EXPECT_EQ(runs.error().where.substr(0, 4), "map:") << text;
  }
}

TEST(Mapfile, CoversTheWholeDiskAndRoundTrips) {
  const std::vector<FaultRun> runs{{range(0, 2), {.read_errno = EIO}},
                                   {range(10, 1), {.read_errno = EIO}}};
  const std::string text = print_mapfile(runs, {100});
  EXPECT_NE(text.find("0x00000000  0x00000400  -\n0x00000400  0x00001000  +\n"
                      "0x00001400  0x00000200  -\n0x00001600  0x0000B200  +\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(parse_fault_file(text, "map").value(), runs);
  EXPECT_FALSE(lost_in_mapfile(runs));
}

TEST(Mapfile, AdjoiningReadFaultsOfOtherKindsAreOneArea) {
  const std::vector<FaultRun> runs{{range(4, 2), {.read_errno = EIO}},
                                   {range(6, 2), {.read_errno = ENODATA, .slow_ms = 9}},
                                   {range(8, 2), {.write_errno = EIO}}};
  EXPECT_EQ(parse_fault_file(print_mapfile(runs, {16}), "map").value(),
            (std::vector<FaultRun>{{range(4, 4), {.read_errno = EIO}}}));
  EXPECT_TRUE(lost_in_mapfile(runs));
}

TEST(FaultFile, EmptyMeansHealthy) {
  EXPECT_TRUE(parse_fault_file("", "f").value().empty());
  EXPECT_TRUE(parse_fault_file("# nothing\n", "f").value().empty());
}

}  // namespace
}  // namespace dmremap::lab
