// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/spare_room.hpp"

#include <gtest/gtest.h>

#include "base/units.hpp"

namespace dmremap::set {
namespace {

TEST(SpareRoom, ASparseImageWithTooLittleRoomBelowIsNamed) {
  const std::string said = lack_of_room("/mnt/spare", {32 * kMiB, 2 * kMiB, 29 * kMiB});
  EXPECT_NE(said.find("/mnt/spare: the spare is a sparse file: 30 MiB"), std::string::npos) << said;
  EXPECT_NE(said.find("has 29 MiB left"), std::string::npos) << said;
}

TEST(SpareRoom, AnImageWithRoomIsNot) {
  EXPECT_EQ(lack_of_room("s", {32 * kMiB, 2 * kMiB, 30 * kMiB}), "");
  EXPECT_EQ(lack_of_room("s", {32 * kMiB, 33 * kMiB, 0}), "");
  EXPECT_EQ(lack_of_room("/nowhere"), "");
}

}  // namespace
}  // namespace dmremap::set
