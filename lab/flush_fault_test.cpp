// SPDX-License-Identifier: GPL-2.0-or-later
#include "flush_fault.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace dmremap::lab {
namespace {

TEST(FlushFault, IsReadAndPrintedAlike) {
  for (const char* text : {"ok", "EIO", "ENODATA:1", "ETIMEDOUT:20"}) {
    const auto fault = parse_flush_fault(text);
    ASSERT_TRUE(fault) << text;
    EXPECT_EQ(print_flush_fault(*fault), text);
  }
  EXPECT_EQ(parse_flush_fault("ENODATA:3")->error, ENODATA);
  EXPECT_EQ(parse_flush_fault("ENODATA:3")->times, 3U);
}

TEST(FlushFault, RefusesWhatIsNone) {
  for (const char* text : {"", "EIO:", "EIO:0", "EIO:x", "ENOSUCH", "ok:1", "eio", ":1"}) {
    const auto fault = parse_flush_fault(text);
    ASSERT_FALSE(fault) << text;
    EXPECT_EQ(fault.error().code, ErrorCode::usage) << text;
  }
}

}  // namespace
}  // namespace dmremap::lab
