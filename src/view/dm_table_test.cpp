// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/dm_table.hpp"

#include <gtest/gtest.h>

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

DmDevices devices() {
  return {"/dev/m", {"/dev/s"}};
}

std::string table(const std::vector<Extent>& extents, std::uint64_t size = 100) {
  return print_dm_table(dm_targets(extents, {size}), devices()).value();
}

TEST(DmTable, AHealthyDiskIsOneTarget) {
  EXPECT_EQ(table({}), "0 100 linear /dev/m 0\n");
}

TEST(DmTable, EachStateHasItsTarget) {
  EXPECT_EQ(table({Extent(State::remapped, {{10}, {2}}, {kFirstSpare, {3072}}),
                   Extent(State::lost, {{20}, {1}}), Extent(State::suspect, {{30}, {5}}),
                   Extent(State::gone, {{40}, {3}})}),
            "0 10 linear /dev/m 0\n"
            "10 2 linear /dev/s 3072\n"
            "12 8 linear /dev/m 12\n"
            "20 1 error\n"
            "21 19 linear /dev/m 21\n"
            "40 3 error\n"
            "43 57 linear /dev/m 43\n");
}

TEST(DmTable, NeighboursThatOneTargetCanServeAreOne) {
  EXPECT_EQ(table({Extent(State::suspect, {{0}, {4}}), Extent(State::lost, {{10}, {1}}),
                   Extent(State::gone, {{11}, {1}}),
                   Extent(State::remapped, {{20}, {2}}, {kFirstSpare, {3072}}),
                   Extent(State::remapped, {{22}, {2}}, {kFirstSpare, {3074}}),
                   Extent(State::remapped, {{24}, {2}}, {kFirstSpare, {3080}})}),
            "0 10 linear /dev/m 0\n"
            "10 2 error\n"
            "12 8 linear /dev/m 12\n"
            "20 4 linear /dev/s 3072\n"
            "24 2 linear /dev/s 3080\n"
            "26 74 linear /dev/m 26\n");
}

TEST(DmTable, EachSpareIsADeviceOfItsOwn) {
  const std::vector<Extent> extents{Extent(State::remapped, {{10}, {2}}, {kFirstSpare, {3072}}),
                                    Extent(State::remapped, {{12}, {2}}, {SpareIndex{1}, {3074}})};
  EXPECT_EQ(print_dm_table(dm_targets(extents, {14}), {"/dev/m", {"/dev/s", "/dev/t"}}).value(),
            "0 10 linear /dev/m 0\n"
            "10 2 linear /dev/s 3072\n"
            "12 2 linear /dev/t 3074\n");
}

TEST(DmTable, BadSectorsAtBothEndsLeaveNoEmptyTarget) {
  EXPECT_EQ(table({Extent(State::lost, {{0}, {1}}), Extent(State::gone, {{99}, {1}})}),
            "0 1 error\n1 98 linear /dev/m 1\n99 1 error\n");
}

TEST(DmTable, ABlankInAPathIsQuotedAndALineEndIsRefused) {
  const auto targets = dm_targets({}, {8});
  EXPECT_EQ(print_dm_table(targets, {"/dev/a b\\c", {""}}).value(),
            "0 8 linear /dev/a\\ b\\\\c 0\n");
  EXPECT_EQ(print_dm_table(targets, {"/dev/a\nb", {""}}).error().code, ErrorCode::usage);
}

}  // namespace
}  // namespace dmremap::view
