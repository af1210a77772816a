// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/region_map.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "table/dirty_regions.hpp"
#include "table/live_table.hpp"

namespace dmremap::table {
namespace {

using format::Extent;
using format::State;

constexpr SectorCount kDevice{10 * 2048 + 5};

TEST(RegionMap, ABitCoversACellOfARegionAndTheShortLastOneToo) {
  RegionMap map(kDevice);
  map.set({{4095}, {2}});
  EXPECT_TRUE(map.any({{4096 - 128}, {1}}));
  EXPECT_TRUE(map.any({{4096 + 127}, {1}}));
  EXPECT_FALSE(map.any({{4096 + 128}, {2048}}));
  EXPECT_FALSE(map.any({{0}, {4096 - 128}}));
  EXPECT_TRUE(map.any({{0}, {4096 - 127}}));
  EXPECT_TRUE(map.any({{0}, {10'000}}));
  map.set({{20'480}, {5}});
  EXPECT_TRUE(map.any({{10 * 2048 + 4}, {1}}));
  map.clear_region(1);
  EXPECT_FALSE(map.any({{2048}, {2048}}));
  EXPECT_TRUE(map.any({{4096}, {1}}));
  map.clear_cell({4096});
  EXPECT_FALSE(map.any({{4096}, {2048}}));
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
    map.clear_region(region);
  }
}

// By sector, against a plain list of what was set.
TEST(RegionMap, SaysOfShortRangesWhatTheirCellsSay) {
  constexpr std::uint64_t kCells = 64 * 64 + 100;
  RegionMap map({kCells * 128});
  std::vector<bool> set(kCells);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t first = random() % (kCells * 128);
    const std::uint64_t count = std::min(kCells * 128 - first, 1 + random() % 4096);
    const std::uint64_t from = first / 128;
    const std::uint64_t to = (first + count - 1) / 128;
    switch (random() % 8) {
      case 0:
        map.set({{first}, {count}});
        for (std::uint64_t cell = from; cell <= to; ++cell) set[cell] = true;
        break;
      case 1:
        map.clear_cell({first});
        set[from] = false;
        break;
      case 2:
        map.clear_region(first / 2048);
        for (std::uint64_t cell = from / 16 * 16; cell < std::min(kCells, from / 16 * 16 + 16);
             ++cell) {
          set[cell] = false;
        }
        break;
      default:
        // A range of two words of regions is answered by regions.
        if (first / (2048 * 64) != (first + count - 1) / (2048 * 64)) break;
        const bool expected = std::any_of(set.begin() + static_cast<std::ptrdiff_t>(from),
                                          set.begin() + static_cast<std::ptrdiff_t>(to) + 1,
                                          [](bool bit) { return bit; });
        ASSERT_EQ(map.any({{first}, {count}}), expected) << first << "+" << count;
    }
  }
}

TEST(RegionMap, CellsGrowWithTheDeviceUntilTheyAreRegions) {
  constexpr std::uint64_t kGib = 2 * 1024 * 1024;
  for (const auto& [gib, sectors] : std::map<std::uint64_t, std::uint64_t>{
           {1, 128}, {256, 128}, {257, 256}, {1'024, 512}, {2'048, 1'024}, {2'049, 2'048}}) {
    RegionMap map({gib * kGib});
    const SectorRange last = map.cell_at({gib * kGib - 1});
    EXPECT_EQ(last.count.value, sectors) << gib;
    map.set({last.first, {1}});
    EXPECT_TRUE(map.any({last.end() - SectorCount{1}, {1}}));
    EXPECT_EQ(map.any({last.first - SectorCount{1}, {1}}), false);
    map.clear_cell(last.first);
    // Without cells only the region's bit says anything.
    EXPECT_EQ(map.any(last), sectors == 2'048);
    map.set({last.first, {1}});
    map.clear_region(region_of(last.first));
    EXPECT_FALSE(map.any(last));
  }
}

TEST(RegionMap, ClearingARegionLeavesItsNeighboursSet) {
  RegionMap map({128 * 2048});
  map.set({{0}, {3 * 2048}});
  map.clear_region(1);
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

TEST(LiveTable, InARegionWithBadSectorsTheCellsWithoutAreClean) {
  LiveTable live(kDevice, Table(), system_scheduling());
  const SectorRange range{{3000}, {8}};
  const SectorRange beside{{3200}, {8}};
  const Extent lost(State::lost, range);
  const std::array changed{range};
  live.publish(Table({&lost, 1}, {}), changed);
  EXPECT_TRUE(live.clean(beside));
  EXPECT_FALSE(live.clean({{3000}, {208}}));
  {
    const auto hold = live.hold({beside});
    EXPECT_FALSE(live.clean(beside));
  }
  EXPECT_TRUE(live.clean(beside));
  {
    const auto watch = live.watch(beside);
    EXPECT_FALSE(live.clean(beside));
  }
  EXPECT_TRUE(live.clean(beside));
  EXPECT_FALSE(live.clean(range));
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
}  // namespace dmremap::table
