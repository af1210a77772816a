// SPDX-License-Identifier: GPL-2.0-or-later
#include "write_cache.hpp"

#include <array>
#include <random>

#include <gtest/gtest.h>

namespace dmremap::lab {
namespace {

std::vector<std::byte> filled(std::size_t bytes, unsigned char with) {
  return std::vector<std::byte>(bytes, std::byte{with});
}

TEST(WriteCache, GivesBackWhatItHoldsAndLeavesTheRest) {
  WriteCache cache;
  cache.put(100, filled(10, 1));
  auto data = filled(20, 9);
  cache.overlay(95, data);
  EXPECT_EQ(data[4], std::byte{9});
  EXPECT_EQ(data[5], std::byte{1});
  EXPECT_EQ(data[14], std::byte{1});
  EXPECT_EQ(data[15], std::byte{9});
}

TEST(WriteCache, ADroppedMiddleLeavesBothEnds) {
  WriteCache cache;
  cache.put(0, filled(30, 1));
  cache.drop(10, 10);
  EXPECT_EQ(cache.bytes(), 20U);
  EXPECT_EQ(cache.blocks().size(), 2U);
  auto data = filled(30, 9);
  cache.overlay(0, data);
  EXPECT_EQ(data[9], std::byte{1});
  EXPECT_EQ(data[10], std::byte{9});
  EXPECT_EQ(data[19], std::byte{9});
  EXPECT_EQ(data[20], std::byte{1});
}

// Against an array of bytes that knows of each whether it is cached.
TEST(WriteCache, IsAnArrayOfBytesWithHoles) {
  constexpr std::size_t kBytes = 64;
  std::mt19937 random(7);
  WriteCache cache;
  std::array<int, kBytes> model{};  // -1: not cached
  model.fill(-1);
  for (int round = 0; round < 5000; ++round) {
    const std::size_t from = random() % kBytes;
    const std::size_t bytes = random() % (kBytes - from + 1);
    const int value = round % 251;
    if (random() % 3 == 0) {
      cache.drop(from, bytes);
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(from), bytes, -1);
    } else {
      cache.put(from, filled(bytes, static_cast<unsigned char>(value)));
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(from), bytes, value);
    }
    auto data = filled(kBytes, 255);
    cache.overlay(0, data);
    std::uint64_t cached = 0;
    for (std::size_t i = 0; i < kBytes; ++i) {
      ASSERT_EQ(std::to_integer<int>(data[i]), model[i] < 0 ? 255 : model[i]) << "round " << round;
      cached += model[i] < 0 ? 0U : 1U;
    }
    ASSERT_EQ(cache.bytes(), cached) << "round " << round;
  }
}

}  // namespace
}  // namespace dmremap::lab
