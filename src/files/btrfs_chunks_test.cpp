// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/btrfs_chunks.hpp"

#include <gtest/gtest.h>
#include <linux/btrfs_tree.h>

#include "base/endian.hpp"

namespace dmremap::files {
namespace {

using format::State;
using Areas = std::vector<BadArea>;

constexpr std::uint64_t kMiB = 1U << 20U;

std::vector<std::byte> item(std::uint64_t type, std::vector<std::uint64_t> stripes) {
  std::vector<std::byte> out(48 + 32 * stripes.size());
  store_le<std::uint64_t>(out, 0, 8 * kMiB);
  store_le<std::uint64_t>(out, 24, type);
  store_le<std::uint16_t>(out, 44, static_cast<std::uint16_t>(stripes.size()));
  for (std::size_t i = 0; i < stripes.size(); ++i) {
    store_le<std::uint64_t>(out, 48 + 32 * i + 8, stripes[i]);
  }
  return out;
}

TEST(BtrfsChunks, TheItemIsTheKernels) {
  const auto bytes = item(BTRFS_BLOCK_GROUP_METADATA | BTRFS_BLOCK_GROUP_DUP, {kMiB, 9 * kMiB});
  EXPECT_EQ(bytes.size(), sizeof(btrfs_chunk) + sizeof(btrfs_stripe));
  EXPECT_EQ(offsetof(btrfs_chunk, type), 24U);
  EXPECT_EQ(offsetof(btrfs_chunk, num_stripes), 44U);
  EXPECT_EQ(offsetof(btrfs_chunk, stripe), 48U);
  const auto chunk = parse_btrfs_chunk(64 * kMiB, bytes);
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->logical, 64 * kMiB);
  EXPECT_EQ(chunk->length, 8 * kMiB);
  EXPECT_EQ(chunk->copies, (std::vector<std::uint64_t>{kMiB, 9 * kMiB}));
}

TEST(BtrfsChunks, WhatIsNoItemIsAnError) {
  for (std::size_t size = 0; size < 48 + 64; ++size) {
    auto bytes = item(BTRFS_BLOCK_GROUP_DUP, {1, 2});
    bytes.resize(size);
    EXPECT_FALSE(parse_btrfs_chunk(0, bytes)) << size;
  }
  EXPECT_FALSE(parse_btrfs_chunk(0, item(0, {})));
}

TEST(BtrfsChunks, DataInSeveralPlacesIsRefused) {
  for (const std::uint64_t profile : {BTRFS_BLOCK_GROUP_RAID0, BTRFS_BLOCK_GROUP_RAID1,
                                      BTRFS_BLOCK_GROUP_RAID10, BTRFS_BLOCK_GROUP_RAID5}) {
    const auto chunk = parse_btrfs_chunk(0, item(profile, {1, 2}));
    ASSERT_FALSE(chunk);
    EXPECT_EQ(chunk.error().code, ErrorCode::not_supported);
    EXPECT_TRUE(parse_btrfs_chunk(0, item(profile, {1})));
  }
}

TEST(BtrfsChunks, AnAreaGoesWhereItsChunkIsAndIsCutWhereItEnds) {
  const std::vector<BtrfsChunk> chunks{{100 * kMiB, 4 * kMiB, {1 * kMiB}},
                                       {200 * kMiB, 4 * kMiB, {5 * kMiB, 20 * kMiB}}};
  const Areas bad{{{5 * kMiB - 512, 1024}, {77}, State::lost},
                  {{20 * kMiB + 4096, 512}, {99}, State::gone},
                  {{24 * kMiB - 512, 1024}, {300}, State::suspect}};
  const LogicalAreas out = to_logical(chunks, bad);
  EXPECT_EQ(out.areas, (Areas{{{104 * kMiB - 512, 512}, {77}, State::lost},
                              {{200 * kMiB, 512}, {78}, State::lost},
                              {{200 * kMiB + 4096, 512}, {99}, State::gone},
                              {{204 * kMiB - 512, 512}, {300}, State::suspect}}));
  EXPECT_EQ(out.outside, (Areas{{{24 * kMiB, 512}, {301}, State::suspect}}));
}

}  // namespace
}  // namespace dmremap::files
