// SPDX-License-Identifier: GPL-2.0-or-later
// Names of devices. What the control device does is tried in guests, whose kernels have it
// (tests/guest/payloads/ublk_*.sh).
#include "ublk/control.hpp"

#include <gtest/gtest.h>

namespace dmremap::ublk {
namespace {

TEST(BlockNumber, IsOfDisksAndTheirPartitions) {
  EXPECT_EQ(block_number("ublkb0"), 0U);
  EXPECT_EQ(block_number("ublkb12"), 12U);
  EXPECT_EQ(block_number("ublkb12p3"), 12U);
  for (const char* name :
       {"", "ublkb", "ublkbp1", "ublkc0", "loop0", "xublkb0", "ublkb4294967296"}) {
    EXPECT_FALSE(block_number(name)) << name;
  }
}

}  // namespace
}  // namespace dmremap::ublk
