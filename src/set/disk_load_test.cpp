// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/disk_load.hpp"

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"
#include "rig/temporary_directory.hpp"

namespace dmremap::set {
namespace {

TEST(DiskLoad, ReadsALineOfTheBlockLayer) {
  const auto found = parse_block_statistics("  100  1 800 30  50 2 400 20  3  40 50  7 0 0 0  9 1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->done, 150U);
  EXPECT_EQ(found->in_flight, 3U);
  EXPECT_EQ(found->latency_ns, 50'000'000U);
  EXPECT_FALSE(parse_block_statistics(""));
  EXPECT_FALSE(parse_block_statistics("1 2 3 4 5 6 7 8"));
  EXPECT_FALSE(parse_block_statistics("1 2 3 x 5 6 7 8 9"));
}

TEST(DiskLoad, OfAnImageFileTheEnginesOwnRequestsCount) {
  remap::Rig rig;
  rig.start();
  const TemporaryDirectory directory;
  DiskLoad load(*rig.engine, [&] { return directory.path() + "/none"; });
  const std::uint64_t before = load.sample().arrived;
  EXPECT_EQ(rig.read(0, 8), 1);
  EXPECT_EQ(rig.write(0, 8, 2), 0);
  EXPECT_EQ(load.sample().arrived, before + 2);
  EXPECT_FALSE(load.has_own());
  load.begin_own();
  EXPECT_TRUE(load.has_own());
  EXPECT_TRUE(rig.engine->scan({{0}, {8}}, [] { return true; }));
  load.end_own(1, 4096, 10);
  EXPECT_FALSE(load.has_own());
  EXPECT_EQ(load.sample().arrived, before + 2) << "a scan is none of them";
}

}  // namespace
}  // namespace dmremap::set
