// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/allocator.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "format/layout.hpp"

namespace dmremap::table {
namespace {

using format::Extent;
using format::State;

constexpr SectorCount kSpare{40'000};

Extent remapped(std::uint64_t main, std::uint64_t spare, std::uint64_t count) {
  return {State::remapped, {{main}, {count}}, {kFirstSpare, {spare}}};
}

Allocator all_free(SectorCount unit = {1}) {
  return *Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare), Table(), unit);
}

TEST(Allocator, NeverHandsOutMetadataSectorZeroIncluded) {
  Allocator allocator = all_free();
  const auto reserved = format::reserved_ranges(kSpare);
  SectorCount sum;
  while (const auto run = allocator.allocate({64})) {
    for (const SectorRange& area : reserved) EXPECT_FALSE(area.overlaps(run->sectors()));
    EXPECT_LE(run->sectors().end(), Sector{} + kSpare);
    sum = sum + run->count;
  }
  EXPECT_EQ(sum, allocator.capacity());
  EXPECT_EQ(allocator.available(), SectorCount{0});
  EXPECT_EQ(sum, kSpare - SectorCount{8192});
}

TEST(Allocator, NeverHandsOutWhatTheTableNamesAfterARestart) {
  const std::vector<Extent> extents{remapped(0, 9300, 16), remapped(500, 12000, 8)};
  const std::vector<Extent> retired{Extent(State::retired, {{0}, {4}}, {kFirstSpare, {9316}})};
  const Table table(extents, retired);
  Allocator allocator =
      *Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare), table, SectorCount{1});
  while (const auto run = allocator.allocate({128})) {
    EXPECT_FALSE(run->sectors().overlaps({{9300}, {20}}));
    EXPECT_FALSE(run->sectors().overlaps({{12000}, {8}}));
  }
}

TEST(Allocator, WhatTheTableNamesOfAnotherSpareIsFreeHere) {
  const SpareIndex second{1};
  const std::vector<Extent> extents{remapped(0, 9300, 16),
                                    Extent(State::remapped, {{500}, {16}}, {second, {9308}})};
  const std::vector<Extent> retired{Extent(State::retired, {{0}, {4}}, {second, {9400}})};
  const Table table(extents, retired);
  const auto reserved = format::reserved_ranges(kSpare);
  const auto first = Allocator::of(kFirstSpare, kSpare, reserved, table, SectorCount{1});
  auto other = Allocator::of(second, kSpare, reserved, table, SectorCount{1});
  ASSERT_TRUE(first && other);
  EXPECT_EQ(first->available(), first->capacity() - SectorCount{16});
  EXPECT_EQ(other->available(), other->capacity() - SectorCount{20});
  EXPECT_EQ(other->allocate({8}), (SpareRange{{second, {9324}}, {8}}));
}

TEST(Allocator, RefusesATableThatNamesASpareSectorTwice) {
  const std::vector<Extent> extents{remapped(0, 9300, 16), remapped(500, 9310, 8)};
  EXPECT_FALSE(Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare),
                             Table(extents, {}), SectorCount{1}));
}

TEST(Allocator, RefusesATableThatNamesMetadataOrSectorsOutsideTheSpare) {
  const std::vector<Extent> inside{remapped(0, 1024, 8)};
  EXPECT_FALSE(Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare),
                             Table(inside, {}), SectorCount{1}));
  const std::vector<Extent> outside{remapped(0, kSpare.value - 4, 8)};
  EXPECT_FALSE(Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare),
                             Table(outside, {}), SectorCount{1}));
}

TEST(Allocator, PlacesABurstOfNeighboursTogether) {
  Allocator allocator = all_free();
  const auto first = allocator.allocate({8});
  const auto second = allocator.allocate({8});
  EXPECT_EQ(first->end(), second->first);
}

TEST(Allocator, AlignsToMainsLogicalBlock) {
  const std::vector<Extent> extents{remapped(0, 9301, 3)};
  Allocator allocator = *Allocator::of(kFirstSpare, {32771}, format::reserved_ranges({32771}),
                                       Table(extents, {}), SectorCount{8});
  while (const auto run = allocator.allocate({8})) {
    EXPECT_EQ(run->first.sector.value % 8, 0U);
    EXPECT_EQ(run->count.value, 8U);
  }
}

TEST(Allocator, AFreedSectorWaitsForTheRequestsThatMayStillNameIt) {
  Allocator allocator = all_free();
  while (allocator.allocate({4096})) {
  }
  allocator.free_after({{kFirstSpare, {9300}}, {8}}, 5);
  allocator.reclaim(4);
  EXPECT_FALSE(allocator.allocate({8}));
  allocator.reclaim(5);
  EXPECT_EQ(allocator.allocate({8}), (SpareRange{{kFirstSpare, {9300}}, {8}}));
}

RC_GTEST_PROP(Allocator, WhatIsOutIsOutOnce, ()) {
  Allocator allocator = all_free();
  std::set<std::uint64_t> out;
  std::vector<SpareRange> runs;
  for (int i = 0; i < 60; ++i) {
    if (runs.empty() || *rc::gen::inRange(0, 3) != 0) {
      const auto run = allocator.allocate({*rc::gen::inRange<std::uint64_t>(1, 900)});
      if (!run) continue;
      for (Sector s = run->first.sector; s < run->sectors().end(); s = s + SectorCount{1}) {
        RC_ASSERT(out.insert(s.value).second);
      }
      runs.push_back(*run);
    } else {
      const auto which = *rc::gen::inRange<std::size_t>(0, runs.size());
      const SpareRange run = runs[which];
      runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(which));
      for (Sector s = run.first.sector; s < run.sectors().end(); s = s + SectorCount{1})
        out.erase(s.value);
      allocator.give_back(run);
    }
    RC_ASSERT(allocator.available().value + out.size() == allocator.capacity().value);
  }
}

TEST(Allocator, AfterGrowingItHandsOutTheNewRoomAndNothingTwice) {
  for (const std::uint64_t unit : {1U, 8U, 128U}) {
    for (const std::uint64_t size : {kSpare.value + 128, kSpare.value + 5'000, kSpare.value * 3}) {
      Allocator allocator = all_free({unit});
      std::vector<SectorRange> runs;
      const auto take_all = [&] {
        while (const auto run = allocator.allocate({1'024})) runs.push_back(run->sectors());
      };
      take_all();
      const std::uint64_t before = allocator.capacity().value;
      const SectorRange signposts = format::signpost_area(kSpare, {size});
      allocator.grow({size}, signposts, {});
      EXPECT_EQ(allocator.available(), allocator.capacity() - SectorCount{before});
      take_all();
      std::ranges::sort(runs);
      SectorCount sum;
      for (std::size_t i = 0; i < runs.size(); ++i) {
        if (i > 0) {
          EXPECT_LE(runs[i - 1].end(), runs[i].first);
        }
        EXPECT_LE(runs[i].end().value, size);
        EXPECT_FALSE(runs[i].overlaps(signposts));
        EXPECT_EQ(runs[i].first.value % unit, 0U);
        sum = sum + runs[i].count;
      }
      EXPECT_EQ(sum, allocator.capacity());
      // As after a restart, when it is made for that size.
      const auto fresh = Allocator::of(kFirstSpare, {size}, format::reserved_ranges(kSpare, {size}),
                                       Table(), SectorCount{unit});
      EXPECT_EQ(fresh->capacity(), allocator.capacity()) << unit << " " << size;
    }
  }
}

TEST(Allocator, APartOfAUnitAtTheOldEndIsOfUseOnceItIsWhole) {
  const SectorCount odd{kSpare.value + 4};
  Allocator allocator =
      *Allocator::of(kFirstSpare, odd, format::reserved_ranges(kSpare), Table(), SectorCount{8});
  const SectorCount before = allocator.capacity();
  allocator.grow(kSpare + SectorCount{16}, {}, {});
  EXPECT_EQ(allocator.capacity(), before + SectorCount{16});
}

TEST(Allocator, WhereSignpostsLayBeforeThereIsRoomOnceTheyLieElsewhere) {
  const SectorCount once{kSpare.value + 8'192};
  const SectorCount twice{kSpare.value + 16'384};
  const SectorRange first = format::signpost_area(kSpare, once);
  const SectorRange second = format::signpost_area(kSpare, twice);
  ASSERT_FALSE(first.empty() || second.empty() || first == second);
  Allocator allocator = all_free({8});
  allocator.grow(once, first, {});
  allocator.grow(twice, second, first);
  const auto fresh = Allocator::of(kFirstSpare, twice, format::reserved_ranges(kSpare, twice),
                                   Table(), SectorCount{8});
  EXPECT_EQ(allocator.capacity(), fresh->capacity());
  EXPECT_EQ(allocator.available(), fresh->available());
}

TEST(Allocator, GrowingLeavesAloneWhatIsTaken) {
  const std::vector<Extent> extents{remapped(0, kSpare.value - 8, 8)};
  Allocator allocator = *Allocator::of(kFirstSpare, kSpare, format::reserved_ranges(kSpare),
                                       Table(extents, {}), SectorCount{8});
  allocator.grow(kSpare + kSpare, {}, {});
  while (const auto run = allocator.allocate({4'096})) {
    EXPECT_FALSE(run->sectors().overlaps({{kSpare.value - 8}, {8}}));
  }
}

}  // namespace
}  // namespace dmremap::table
