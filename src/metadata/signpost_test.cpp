// SPDX-License-Identifier: GPL-2.0-or-later
// A spare that was grown is found by its far copies alone, as any other is.
#include "metadata/signpost.hpp"

#include <cerrno>

#include <gtest/gtest.h>

#include "metadata/offline.hpp"
#include "rig/store_rig.hpp"

namespace dmremap::metadata {
namespace {

constexpr SectorCount kGrownSize{format::kMinSpareSize.value * 4};

class Signposts : public ::testing::Test {
 protected:
  Signposts() : rig_(format::kMinSpareSize) {
    EXPECT_TRUE(rig_.create());
    EXPECT_TRUE(commit(**rig_.open(), with_extents(rig_.content, 40, 24'000)));
    rig_.spare.grow(kGrownSize);
  }

  [[nodiscard]] Survey look() { return *survey(rig_.spare); }
  void grow_to(SectorCount size) {
    const auto grown = grow(rig_.spare, look(), size, rig_.random, rig_.clock);
    ASSERT_TRUE(grown) << grown.error().message();
  }
  void lose_near_region() {
    const std::vector<std::byte> noise(format::kNearEnd.byte_offset(), std::byte{0x5a});
    rig_.spare.poke({0}, noise);
  }
  [[nodiscard]] SectorRange area() const {
    return format::signpost_area(format::kMinSpareSize, kGrownSize);
  }
  void overwrite(Sector at) {
    rig_.spare.poke(at, std::vector<std::byte>(format::kBlockBytes, std::byte{0x11}));
  }

  StoreRig rig_;
};

TEST_F(Signposts, WithoutAGrowthTheFarCopiesOfALongerDeviceAreNotFound) {
  lose_near_region();
  EXPECT_FALSE(look().has_set());
}

TEST_F(Signposts, TheWholeNearRegionMayDieAndTheSetStaysReadWrite) {
  grow_to(kGrownSize);
  lose_near_region();
  const Survey found = look();
  ASSERT_TRUE(found.has_set());
  EXPECT_TRUE(found.decision.writable()) << found.reason;
  EXPECT_EQ(found.content->extents.size(), 40U);
  EXPECT_EQ(found.positions, format::copy_positions(format::kMinSpareSize));
  // It is mended from there.
  ASSERT_TRUE(repair(rig_.spare, found, rig_.random, rig_.clock));
  EXPECT_TRUE(damaged_slots(look()).empty());
}

TEST_F(Signposts, OneOfThemSuffices) {
  grow_to(kGrownSize);
  lose_near_region();
  for (const Sector lost : {area().first, area().first + format::kSlotSectors}) {
    const std::vector<std::byte> before = rig_.spare.contents();
    overwrite(lost);
    EXPECT_TRUE(look().decision.writable()) << lost.value;
    rig_.spare.poke({0}, before);
  }
  rig_.spare.fail_reads({area().first, {8}}, EIO);
  EXPECT_TRUE(look().decision.writable());
}

TEST_F(Signposts, TheyAreWrittenAnewAtEachOpening) {
  grow_to(kGrownSize);
  overwrite(area().first);
  overwrite(area().first + format::kSlotSectors);
  ASSERT_TRUE(rig_.open());
  lose_near_region();
  EXPECT_TRUE(look().decision.writable());
}

TEST_F(Signposts, AfterASecondGrowthThoseAtTheNewEndCount) {
  grow_to({kGrownSize.value / 2});
  grow_to(kGrownSize);
  lose_near_region();
  EXPECT_TRUE(look().decision.writable());
}

TEST_F(Signposts, ANewRoomThatTakesNoneIsRefused) {
  rig_.spare.fail_writes(area(), EIO);
  const auto refused = grow(rig_.spare, look(), kGrownSize, rig_.random, rig_.clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::io);
  EXPECT_FALSE(look().content->grown_spare);
}

TEST_F(Signposts, TheyShowNoSetThatWasReleased) {
  grow_to(kGrownSize);
  ASSERT_TRUE(release(rig_.spare, look()));
  const Survey now = look();
  EXPECT_FALSE(now.has_set());
  EXPECT_EQ(now.traces, Traces::none);
}

TEST_F(Signposts, TheyProveNothingByThemselves) {
  grow_to(kGrownSize);
  for (const Sector copy : format::copy_positions(format::kMinSpareSize)) {
    rig_.spare.poke(copy, std::vector<std::byte>(format::kCopySectors.bytes(), std::byte{0x5a}));
  }
  const Survey now = look();
  EXPECT_FALSE(now.has_set());
  EXPECT_EQ(now.traces, Traces::ours);
}

}  // namespace
}  // namespace dmremap::metadata
