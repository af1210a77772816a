// SPDX-License-Identifier: GPL-2.0-or-later
// A scan of a range: what it finds, what it does not ask, and that it is no user's request. What is
// slow is in suspects_test.cpp.
#include "remap/task/range_scan.hpp"

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::State;

bool go_on() {
  return true;
}

class RangeScanTest : public ::testing::Test {
 protected:
  void SetUp() override { rig.start(); }
  ScanReport scan(std::uint64_t first, std::uint64_t count) {
    const auto report = rig.engine->scan({{first}, {count}}, go_on);
    EXPECT_TRUE(report) << report.error().message();
    return report.value_or(ScanReport{});
  }
  // Which sectors a device is asked for from here on.
  void note_reads(sim::SimDevice& device, std::set<std::uint64_t>& asked) {
    device.set_hook([&asked](const sim::Request& request) {
      if (request.kind == sim::Request::Kind::read) {
        for (std::uint64_t i = 0; i < request.range.count.value; ++i) {
          asked.insert(request.range.first.value + i);
        }
      }
      return io::kIoOk;
    });
  }

  Rig rig;
};

TEST_F(RangeScanTest, AHealthyRangeIsReadWholeAndIsNoUsersRequest) {
  std::set<std::uint64_t> asked;
  note_reads(rig.main, asked);
  const ScanReport report = scan(1'024, 4'096);
  rig.main.set_hook({});
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.trouble);
  EXPECT_EQ(asked.size(), 4'096U);
  EXPECT_EQ(*asked.begin(), 1'024U);
  EXPECT_EQ(report.main_reads, 2U);
  EXPECT_EQ(rig.engine->counts().reads, 0U);
  EXPECT_TRUE(rig.engine->extents().empty());
}

TEST_F(RangeScanTest, WhatDoesNotReadIsLostOnceAndNotAskedAgain) {
  rig.main.fail_reads({{2'000}, {3}}, EIO);
  const ScanReport first = scan(1'024, 2'048);
  EXPECT_TRUE(first.complete);
  EXPECT_TRUE(first.trouble);
  EXPECT_EQ(first.lost, SectorCount{3});
  EXPECT_EQ(rig.in_state(State::lost), (std::vector<SectorRange>{{{2'000}, {3}}}));
  std::set<std::uint64_t> asked;
  note_reads(rig.main, asked);
  const ScanReport again = scan(1'024, 2'048);
  rig.main.set_hook({});
  EXPECT_FALSE(again.trouble);
  EXPECT_EQ(again.lost, SectorCount{0});
  EXPECT_EQ(asked.size(), 2'045U) << "all but what is lost";
  EXPECT_FALSE(asked.contains(2'001));
}

TEST_F(RangeScanTest, WhatReadsOnlyWhenAskedAgainMovesToTheSpare) {
  // The whole block fails each time, any part of it reads.
  rig.main.set_hook([](const sim::Request& request) {
    const bool hit = request.kind == sim::Request::Kind::read &&
                     request.range.contains(Sector{2'000}) && request.range.count.value > 1;
    return io::IoStatus{hit ? EIO : 0};
  });
  const ScanReport report = scan(1'024, 2'048);
  rig.main.set_hook({});
  EXPECT_TRUE(report.trouble);
  EXPECT_EQ(report.recovered, SectorCount{8});
  EXPECT_EQ(report.lost, SectorCount{0});
  EXPECT_EQ(rig.table().remapped, 8U);
  EXPECT_EQ(rig.read(2'000), 1);
}

TEST_F(RangeScanTest, WhatIsRemappedIsReadFromTheSpare) {
  ASSERT_TRUE(rig.engine->relocate({{2'000}, {8}}));
  const SectorRange there = rig.spare_of(2'000);
  std::set<std::uint64_t> main_asked;
  std::set<std::uint64_t> spare_asked;
  note_reads(rig.main, main_asked);
  note_reads(rig.spare, spare_asked);
  EXPECT_FALSE(scan(1'024, 2'048).trouble);
  rig.main.set_hook({});
  rig.spare.set_hook({});
  EXPECT_FALSE(main_asked.contains(2'000));
  EXPECT_TRUE(spare_asked.contains(there.first.value));

  rig.spare.fail_reads({there.first, {1}}, EIO);
  const ScanReport report = scan(1'024, 2'048);
  EXPECT_FALSE(report.trouble) << "main has nothing to do with it";
  EXPECT_EQ(report.lost, SectorCount{1});
  EXPECT_EQ(rig.engine->failing().size(), 1U);
  EXPECT_EQ(scan(1'024, 2'048).lost, SectorCount{0}) << "that is known now";
}

TEST_F(RangeScanTest, EndsWhenItIsNotWantedAnyMoreOrMainIsGone) {
  const auto unwanted = rig.engine->scan({{0}, {64}}, [] { return false; });
  ASSERT_TRUE(unwanted);
  EXPECT_FALSE(unwanted->complete);
  rig.main.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  const ScanReport gone = scan(0, 64);
  EXPECT_FALSE(gone.complete);
  EXPECT_EQ(gone.lost, SectorCount{0});
  EXPECT_TRUE(rig.engine->extents().empty());
}

TEST_F(RangeScanTest, Promise2_WhatCouldNotBeRecordedIsAskedForAgain) {
  rig.main.fail_reads({{2'000}, {3}}, ENODATA);
  rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  const ScanReport away = scan(1'024, 2'048);
  EXPECT_FALSE(away.complete);
  EXPECT_TRUE(away.trouble);
  EXPECT_EQ(away.lost, SectorCount{0});
  rig.spare.set_hook({});
  const ScanReport back = scan(1'024, 2'048);
  EXPECT_TRUE(back.complete);
  EXPECT_EQ(back.lost, SectorCount{3});
}

TEST_F(RangeScanTest, NeedsARangeOfTheDiskAndAWritableSet) {
  EXPECT_EQ(rig.engine->scan({{0}, {kMainSize.value + 8}}, go_on).error().code, ErrorCode::usage);
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(rig.engine->scan({{0}, {8}}, go_on).error().code, ErrorCode::read_only);
}

}  // namespace
}  // namespace dmremap::remap
