// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/partition_table.hpp"

#include <array>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>

#include "tests/rig/temporary_directory.hpp"

namespace dmremap::dm {
namespace {

// An image of 64 MiB with a table of the PC's kind.
class PartitionTableTest : public testing::Test {
 protected:
  struct Entry {
    std::uint8_t type;
    std::uint32_t first;
    std::uint32_t count;
  };
  std::string image_with(const std::vector<Entry>& entries) {
    std::vector<char> bytes(64 << 20, 0);
    std::size_t at = 446;
    for (const Entry& entry : entries) {
      bytes[at + 4] = static_cast<char>(entry.type);
      for (unsigned byte = 0; byte < 4; ++byte) {
        bytes[at + 8 + byte] = static_cast<char>(entry.first >> (8 * byte));
        bytes[at + 12 + byte] = static_cast<char>(entry.count >> (8 * byte));
      }
      at += 16;
    }
    bytes[510] = '\x55';
    bytes[511] = '\xaa';
    std::string path = directory_.path() + "/image";
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
    return path;
  }

  const TemporaryDirectory directory_;
};

TEST_F(PartitionTableTest, TellsThePartitionsByTheirNumbers) {
  const auto table = read_partition_table(image_with({{0x83, 2048, 32'768}, {0x83, 34'816, 4096}}));
  ASSERT_TRUE(table) << table.error().message();
  const PartitionTable expected{{1, {{2048}, {32'768}}}, {2, {{34'816}, {4096}}}};
  EXPECT_EQ(*table, expected);
}

TEST_F(PartitionTableTest, WhatReachesBeyondTheDeviceIsNone) {
  const auto table =
      read_partition_table(image_with({{0x83, 2048, 32'768}, {0x83, 34'816, 200'000}}));
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_FALSE(table->contains(2));
}

TEST_F(PartitionTableTest, WithoutATableThereAreNone) {
  std::string path = directory_.path() + "/empty";
  std::ofstream(path, std::ios::binary) << std::string(1 << 20, '\0');
  const auto table = read_partition_table(path);
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_TRUE(table->empty());
  EXPECT_FALSE(read_partition_table(directory_.path() + "/none"));
}

}  // namespace
}  // namespace dmremap::dm
