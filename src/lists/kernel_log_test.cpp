// SPDX-License-Identifier: GPL-2.0-or-later
#include "lists/kernel_log.hpp"

#include <gtest/gtest.h>

namespace dmremap::lists {
namespace {

using Ranges = std::vector<SectorRange>;

constexpr const char* kLog =
    "[ 1.0] sd 2:0:0:0: [sdb] tag#3 Sense Key : Medium Error [current]\n"
    "[ 1.1] blk_update_request: critical medium error, dev sdb, sector 2048 op 0x0:(READ) flags "
    "0x80700 phys_seg 1 prio class 0\n"
    "Nov 29 07:00:00 nas kernel: critical medium error, dev sdb, sector 2056 op 0x0:(READ) "
    "flags\r\n"
    "[ 1.2] Buffer I/O error on dev sdb1, logical block 7, async page read\n"
    "[ 1.3] critical medium error, dev sdb, sector 3000 op 0x1:(WRITE) flags 0x800\n"
    "[ 1.4] I/O error, dev sdb, sector 4096 op 0x0:(READ) flags 0x0\n"
    "[ 1.5] end_request: I/O error, dev sdb, sector 8192\n"
    "[ 1.6] print_req_error: critical medium error, dev sdb, sector 8200\n"
    "[ 1.7] critical target error, dev sdb, sector 9000 op 0x3:(DISCARD) flags 0x0\n"
    "[ 1.8] I/O error, dev sda, sector 1 op 0x0:(READ)\n"
    "[ 1.9] I/O error, dev sdb1, sector 5 op 0x0:(READ)\n";

TEST(KernelLog, AMediumErrorOfAReadIsLostAndAllElseSuspect) {
  const auto errors = parse_kernel_log(kLog, "dmesg", "sdb");
  ASSERT_TRUE(errors) << errors.error().message();
  EXPECT_EQ(errors->lost, (Ranges{{{2048}, {1}}, {{2056}, {1}}}));
  EXPECT_EQ(errors->suspect, (Ranges{{{3000}, {1}}, {{4096}, {1}}, {{8192}, {1}}, {{8200}, {1}}}));
  EXPECT_EQ(parse_kernel_log(kLog, "dmesg", "/dev/sdb")->lost, errors->lost);
}

TEST(KernelLog, TheDiskHasToBeNamedAndInTheLog) {
  const auto unnamed = parse_kernel_log(kLog, "dmesg", "");
  ASSERT_FALSE(unnamed);
  EXPECT_EQ(unnamed.error().code, ErrorCode::usage);
  EXPECT_NE(unnamed.error().hint.find("sda, sdb"), std::string::npos) << unnamed.error().hint;
  const auto absent = parse_kernel_log(kLog, "dmesg", "sdc");
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().what.find("sdc"), std::string::npos);
  EXPECT_FALSE(parse_kernel_log("", "dmesg", "sdb")) << "an empty log is a mistake";
}

TEST(KernelLog, LinesThatAreCutOrRanTogetherAreNotTaken) {
  for (const char* line :
       {"critical medium error, dev sdb", "critical medium error, dev sdb, sector ",
        "critical medium error, dev sdb, sector x",
        "critical medium error, dev sdb, sector 12[ 3.1]", "I/O error, dev , sector 12",
        "I/O error, dev sdb: I/O error, dev sdb, sector 12", "I/O error, dev sdb, sector -1",
        "I/O error, dev sdb, sector 1099511627776",
        "I/O error, dev sdb, sector 99999999999999999999"}) {
    EXPECT_FALSE(is_kernel_log(line)) << line;
  }
  EXPECT_TRUE(is_kernel_log("I/O error, dev sdb, sector 12"));
  EXPECT_TRUE(is_kernel_log("x\nI/O error, dev sdb, sector 1099511627775 op 0x0:(READ)\n"));
}

}  // namespace
}  // namespace dmremap::lists
