// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/parse.hpp"

#include <gtest/gtest.h>

namespace dmremap {
namespace {

TEST(ParseRange, OneSectorOrARun) {
  EXPECT_EQ(parse_range("0").value(), (SectorRange{{0}, {1}}));
  EXPECT_EQ(parse_range("2048+8").value(), (SectorRange{{2048}, {8}}));
  EXPECT_EQ(parse_range("0+1099511627776").value().end().value, kAddressLimitSectors);
}

TEST(ParseRange, AnythingElseIsWrongUsageAndSaysTheForm) {
  for (const char* text :
       {"", "+", "+8", "8+", "8+0", "-1", " 8", "8 ", "8+ 8", "0x10", "1+2+3", "8-9", "1KiB",
        "1099511627776", "1099511627775+2", "18446744073709551616", "1+18446744073709551615"}) {
    const auto parsed = parse_range(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage) << text;
    EXPECT_NE(parsed.error().hint.find("SECTOR+COUNT"), std::string::npos) << text;
  }
}

TEST(ParseSize, TakesBytesAndBinarySuffixes) {
  EXPECT_EQ(parse_size("512").value(), 512U);
  EXPECT_EQ(parse_size("3KiB").value(), 3 * kKiB);
  EXPECT_EQ(parse_size("64MiB").value(), 64 * kMiB);
  EXPECT_EQ(parse_size("2GiB").value(), 2 * kGiB);
  EXPECT_EQ(parse_size("1TiB").value(), 1024 * kGiB);
}

TEST(ParseSize, RefusesWhatItCannotHoldExactly) {
  for (const char* text : {"", "MiB", "1.5GiB", "64MB", "64M", "64mib", "-1KiB", "1 KiB",
                           "16777216TiB", "18446744073709551616"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage) << text;
  }
}

}  // namespace
}  // namespace dmremap
