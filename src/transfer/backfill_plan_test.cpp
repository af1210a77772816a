// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/backfill_plan.hpp"

#include <gtest/gtest.h>

namespace dmremap::transfer {
namespace {

using format::Extent;
using format::State;
using Status = lists::MapfileArea::Status;
using Ranges = std::vector<SectorRange>;

BackfillDisk disk_of(std::vector<Extent> extents, std::uint64_t unit = 1) {
  return {{1000}, {unit}, std::move(extents)};
}

lists::MapfileArea area(std::uint64_t first, std::uint64_t count, Status status) {
  return {first * kSectorBytes, count * kSectorBytes, status};
}

TEST(BackfillPlan, AnImageOfAnotherSizeIsNotTaken) {
  const BackfillDisk disk = disk_of({});
  EXPECT_EQ(sectors_of_image(disk, {1000}, "i").value(), (Ranges{{{0}, {1000}}}));
  EXPECT_EQ(sectors_of_image(disk, {999}, "i").error().code, ErrorCode::device_too_small);
  EXPECT_EQ(sectors_of_image(disk, {1001}, "i").error().code, ErrorCode::device_too_large);
  EXPECT_EQ(sectors_of_image(disk, {1001}, "i", {}, "m").error().code, ErrorCode::device_too_large);
}

TEST(BackfillPlan, OnlyWhatTheMapfileCallsFinishedCounts) {
  const std::vector areas{area(0, 100, Status::finished),      area(100, 4, Status::bad),
                          area(104, 96, Status::non_scraped),  area(200, 8, Status::finished),
                          area(208, 100, Status::non_trimmed), area(308, 692, Status::untried)};
  EXPECT_EQ(sectors_of_image(disk_of({}), {1000}, "i", areas, "m").value(),
            (Ranges{{{0}, {100}}, {{200}, {8}}}));
}

TEST(BackfillPlan, AnImageCutOffAtItsEndHasTheRest) {
  const std::vector areas{area(0, 1000, Status::finished)};
  EXPECT_EQ(sectors_of_image(disk_of({}), {600}, "i", areas, "m").value(), (Ranges{{{0}, {600}}}));
}

TEST(BackfillPlan, AMapfileOfALargerDiskIsRefused) {
  const std::vector areas{area(0, 1001, Status::finished)};
  EXPECT_EQ(sectors_of_image(disk_of({}), {1000}, "i", areas, "m").error().code, ErrorCode::usage);
  const std::vector untried{area(0, 1000, Status::finished), area(1000, 9, Status::untried)};
  EXPECT_TRUE(sectors_of_image(disk_of({}), {1000}, "i", untried, "m"));
}

TEST(BackfillPlan, PartsOfABlockDoNotCount) {
  const std::vector areas{area(4, 20, Status::finished), area(24, 3, Status::bad),
                          area(27, 4, Status::finished)};
  EXPECT_EQ(sectors_of_image(disk_of({}, 8), {1000}, "i", areas, "m").value(),
            (Ranges{{{8}, {16}}}));
}

TEST(BackfillPlan, LostSectorsAreFilledWhereTheImageHasThem) {
  const BackfillDisk disk = disk_of(
      {Extent(State::lost, {{10}, {10}}), Extent(State::remapped, {{20}, {10}}, {kFirstSpare, {7}}),
       Extent(State::gone, {{30}, {10}}), Extent(State::suspect, {{40}, {10}}),
       Extent(State::lost, {{50}, {10}})});
  const Ranges image{{{0}, {12}}, {{15}, {2}}, {{18}, {37}}};
  const BackfillPlan plan = plan_backfill(disk, image, false);
  EXPECT_EQ(plan.fill, (Ranges{{{10}, {2}}, {{15}, {2}}, {{18}, {2}}, {{50}, {5}}}));
  EXPECT_EQ(plan.filling.value, 11U);
  EXPECT_EQ(plan.missing.value, 9U);
  EXPECT_EQ(plan.kept_gone.value, 10U);
  const BackfillPlan all = plan_backfill(disk, image, true);
  EXPECT_EQ(all.filling.value, 21U);
  EXPECT_EQ(all.kept_gone.value, 0U);
  EXPECT_EQ(all.fill[3], (SectorRange{{30}, {10}}));
}

TEST(BackfillPlan, BatchesHoldAllOfItInOrder) {
  EXPECT_TRUE(batches_of({}, {8}).empty());
  EXPECT_EQ(batches_of(Ranges{{{0}, {20}}, {{30}, {2}}}, {8}),
            (std::vector<Ranges>{{{{0}, {8}}}, {{{8}, {8}}}, {{{16}, {4}}, {{30}, {2}}}}));
  Ranges many;
  for (std::uint64_t i = 0; i < 600; ++i) many.push_back({{i * 2}, {1}});
  const auto parts = batches_of(many, {1024});
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].size(), 256U);
  EXPECT_EQ(parts[2].back(), many.back());
}

}  // namespace
}  // namespace dmremap::transfer
