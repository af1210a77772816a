// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/device_use.hpp"

#include <gtest/gtest.h>

namespace dmremap::frontend {
namespace {

constexpr const char* kPath = "/dev/null";

TEST(DeviceUse, WhoOnlyLooksIsWaitedFor) {
  int asked = 0;
  const auto unused = wait_until_unused(kPath, [&]() -> Result<bool> { return ++asked < 4; });
  EXPECT_TRUE(unused);
  EXPECT_EQ(asked, 4);
}

TEST(DeviceUse, WhoStaysIsNot) {
  const auto unused = wait_until_unused(kPath, []() -> Result<bool> { return true; });
  ASSERT_FALSE(unused);
  EXPECT_EQ(unused.error().code, ErrorCode::device_in_use);
  EXPECT_EQ(unused.error().where, kPath);
}

TEST(DeviceUse, WhatCannotBeToldIsAnError) {
  const auto unused = wait_until_unused(
      kPath, []() -> Result<bool> { return fail(ErrorCode::io, "does not answer", kPath); });
  ASSERT_FALSE(unused);
  EXPECT_EQ(unused.error().code, ErrorCode::io);
}

}  // namespace
}  // namespace dmremap::frontend
