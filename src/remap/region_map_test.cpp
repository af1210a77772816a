// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/region_map.hpp"

#include <gtest/gtest.h>

#include "remap/dirty_regions.hpp"
#include "remap/live_table.hpp"

namespace dmremap::remap {
namespace {

using format::Extent;
using format::State;

constexpr SectorCount kDevice{10 * 2048 + 5};

TEST(RegionMap, ABitCoversAMebibyteAndTheShortLastRegionToo) {
  RegionMap map(kDevice);
  map.set({{4095}, {2}});
  EXPECT_TRUE(map.any({{2048}, {1}}));
  EXPECT_TRUE(map.any({{6143}, {1}}));
  EXPECT_FALSE(map.any({{6144}, {2048}}));
  EXPECT_FALSE(map.any({{0}, {2048}}));
  EXPECT_TRUE(map.any({{0}, {2049}}));
  map.set({{20'480}, {5}});
  EXPECT_TRUE(map.any({{10 * 2048 + 4}, {1}}));
  map.clear(1);
  EXPECT_FALSE(map.any({{2048}, {2048}}));
}

TEST(LiveTable, ARegionIsCleanAgainOnlyWhenTheTableAndNoHoldNameIt) {
  LiveTable live(kDevice, Table(), system_scheduling());
  const SectorRange range{{3000}, {8}};
  EXPECT_TRUE(live.clean(range));
  const Extent lost(State::lost, range);
  const std::array changed{range};
  live.publish(Table({&lost, 1}, {}), changed);
  EXPECT_FALSE(live.clean(range));
  {
    const auto hold = live.hold({range});
    live.publish(Table(), changed);
    EXPECT_FALSE(live.clean(range));
  }
  EXPECT_TRUE(live.clean(range));
}

TEST(LiveTable, AHoldDrainsExactlyTheRequestsThatOverlap) {
  LiveTable live(kDevice, Table(), system_scheduling());
  auto far_away = live.pin({{9000}, {8}});
  auto near_by = live.pin({{3008}, {8}});
  auto in_the_way = live.pin({{2996}, {8}});
  const auto hold = live.hold({{{3000}, {8}}});
  const std::uint64_t soon = system_clock().monotonic_ns() + 20'000'000;
  EXPECT_FALSE(live.drain(hold, system_clock(), soon));
  in_the_way.release();
  EXPECT_TRUE(live.drain(hold, system_clock(), soon + 10'000'000'000));
  // Who comes after the hold is not waited for: it sees the hold.
  auto later = live.pin({{3000}, {8}});
  EXPECT_TRUE(live.drain(hold, system_clock(), 0) || live.snapshot().held({{3000}, {8}}));
}

TEST(DirtyRegions, WhatIsWrittenAfterTheMoveIsForTheNextFlush) {
  DirtyRegions dirty(kDevice);
  DirtyRegions covered(kDevice);
  dirty.add({{2047}, {2}});
  dirty.move_to(covered);
  EXPECT_FALSE(dirty.any());
  dirty.add({{9000}, {1}});
  std::vector<std::uint64_t> regions;
  covered.for_each([&](std::uint64_t region) { regions.push_back(region); });
  EXPECT_EQ(regions, (std::vector<std::uint64_t>{0, 1}));
  covered.clear();
  EXPECT_FALSE(covered.any());
  EXPECT_TRUE(dirty.any());
}

}  // namespace
}  // namespace dmremap::remap
