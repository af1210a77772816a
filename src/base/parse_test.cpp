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

TEST(ParseRange, FromOneSectorToAnother) {
  EXPECT_EQ(parse_range("8-9").value(), (SectorRange{{8}, {2}}));
  EXPECT_EQ(parse_range("8-8").value(), (SectorRange{{8}, {1}}));
  EXPECT_EQ(parse_range("0x10-0x1f").value(), (SectorRange{{16}, {16}}));
}

TEST(ParseRange, Hexadecimal) {
  EXPECT_EQ(parse_range("0x800").value(), (SectorRange{{2048}, {1}}));
  EXPECT_EQ(parse_range("0X800+0x10").value(), (SectorRange{{2048}, {16}}));
}

TEST(ParseRange, BytesWithAUnitEndBeforeTheirLastByte) {
  EXPECT_EQ(parse_range("1GiB+4KiB").value(), (SectorRange{{2097152}, {8}}));
  EXPECT_EQ(parse_range("1G+4k").value(), (SectorRange{{2097152}, {8}}));
  EXPECT_EQ(parse_range("1MiB-2MiB").value(), (SectorRange{{2048}, {2048}}));
  EXPECT_EQ(parse_range("2048+4KiB").value(), (SectorRange{{2048}, {8}}));
  EXPECT_EQ(parse_range("1024B").value(), (SectorRange{{2}, {1}}));
}

TEST(ParseRange, AnythingElseIsWrongUsageAndSaysTheForm) {
  for (const char* text : {"",
                           "+",
                           "+8",
                           "8+",
                           "8+0",
                           "-1",
                           " 8",
                           "8 ",
                           "8+ 8",
                           "0x",
                           "0xg",
                           "1+2+3",
                           "1-2-3",
                           "9-8",
                           "8-",
                           "1MiB-1MiB",
                           "100B",
                           "1KB",
                           "0x1KiB",
                           "18446744073709551615T",
                           "1099511627776",
                           "0-1099511627776",
                           "1099511627775+2",
                           "18446744073709551616",
                           "1+18446744073709551615"}) {
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

TEST(ParseSize, ALetterAloneIsAMultipleOf1024InEitherCase) {
  EXPECT_EQ(parse_size("3K").value(), 3 * kKiB);
  EXPECT_EQ(parse_size("3k").value(), 3 * kKiB);
  EXPECT_EQ(parse_size("64M").value(), 64 * kMiB);
  EXPECT_EQ(parse_size("64m").value(), 64 * kMiB);
  EXPECT_EQ(parse_size("2G").value(), 2 * kGiB);
  EXPECT_EQ(parse_size("2g").value(), 2 * kGiB);
  EXPECT_EQ(parse_size("1T").value(), 1024 * kGiB);
  EXPECT_EQ(parse_size("1t").value(), 1024 * kGiB);
  EXPECT_EQ(parse_size("512B").value(), 512U);
}

TEST(ParseSize, RefusesWhatItCannotHoldExactly) {
  for (const char* text : {"", "MiB", "1.5GiB", "64MB", "64b", "64mib", "M", "0x10", "-1KiB",
                           "1 KiB", "16777216TiB", "18446744073709551616"}) {
    const auto parsed = parse_size(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage) << text;
  }
}

TEST(ParseSector, SectorsOrBytesWithAUnit) {
  EXPECT_EQ(parse_sector("2048").value().value, 2048U);
  EXPECT_EQ(parse_sector("0x800").value().value, 2048U);
  EXPECT_EQ(parse_sector("1MiB").value().value, 2048U);
  for (const char* text : {"", "8+1", "100B", "-1", "1MB"}) {
    const auto parsed = parse_sector(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::usage) << text;
  }
}

}  // namespace
}  // namespace dmremap
