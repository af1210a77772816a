// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/region_map.hpp"

#include <algorithm>
#include <array>

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

TEST(RegionMap, SaysOfARangeOfAnyLengthWhatItsRegionsSay) {
  constexpr std::uint64_t kRegions = 64 * 64 * 2 + 70;
  RegionMap map({kRegions * 2048});
  const auto any = [&map](std::uint64_t from, std::uint64_t to) {
    return map.any({{from * 2048}, {(to - from) * 2048}});
  };
  for (const std::uint64_t region : std::array<std::uint64_t, 6>{0, 63, 64, 4095, 4096, 8261}) {
    EXPECT_FALSE(any(0, kRegions));
    map.set(range_of_region(region));
    for (const std::uint64_t reach : std::array<std::uint64_t, 5>{1, 2, 63, 65, 5000}) {
      const std::uint64_t from = region < reach ? 0 : region - reach;
      const std::uint64_t to = std::min(kRegions, region + reach);
      EXPECT_TRUE(any(from, region + 1)) << region << " " << reach;
      EXPECT_TRUE(any(region, to)) << region << " " << reach;
      EXPECT_TRUE(any(from, to)) << region << " " << reach;
      EXPECT_FALSE(any(from, region)) << region << " " << reach;
      EXPECT_FALSE(any(region + 1, std::max(region + 1, to))) << region << " " << reach;
    }
    map.clear(region);
  }
}

TEST(RegionMap, ClearingARegionLeavesItsNeighboursSet) {
  RegionMap map({128 * 2048});
  map.set({{0}, {3 * 2048}});
  map.clear(1);
  EXPECT_TRUE(map.any(range_of_region(0)));
  EXPECT_FALSE(map.any(range_of_region(1)));
  EXPECT_TRUE(map.any(range_of_region(2)));
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
