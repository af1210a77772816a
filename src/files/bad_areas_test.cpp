// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/bad_areas.hpp"

#include <gtest/gtest.h>

namespace dmremap::files {
namespace {

using format::Extent;
using format::State;
using Areas = std::vector<BadArea>;
using UnclaimedRanges = std::vector<BadAreas::UnclaimedRange>;

TEST(BadAreas, OnlyWhatIsBadAndInsideTheWindowCounts) {
  const std::vector<Extent> table{Extent(State::lost, {{90}, {20}}),
                                  Extent(State::remapped, {{120}, {8}}, {kFirstSpare, {3072}}),
                                  Extent(State::suspect, {{130}, {1}}),
                                  Extent(State::gone, {{195}, {10}}),
                                  Extent(State::lost, {{300}, {1}})};
  EXPECT_EQ(bad_areas(table, {{100}, {100}}), (Areas{{{0, 5120}, {100}, State::lost},
                                                     {{15360, 512}, {130}, State::suspect},
                                                     {{48640, 2560}, {195}, State::gone}}));
}

TEST(BadAreas, NeighboursOfOneStateAreOne) {
  const std::vector<Extent> table{Extent(State::lost, {{8}, {1}}), Extent(State::lost, {{9}, {2}}),
                                  Extent(State::gone, {{11}, {1}})};
  EXPECT_EQ(bad_areas(table, {{0}, {100}}),
            (Areas{{{4096, 1536}, {8}, State::lost}, {{5632, 512}, {11}, State::gone}}));
}

TEST(BadAreas, AnExtentTakesWhatItOverlaps) {
  BadAreas areas({{{4096, 1024}, {108}, State::lost}, {{8192, 512}, {116}, State::gone}});
  EXPECT_TRUE(areas.take({0, 4096}).empty());
  EXPECT_TRUE(areas.take({5120, 3072}).empty());
  EXPECT_EQ(areas.take({4608, 4096}),
            (Areas{{{4608, 512}, {109}, State::lost}, {{8192, 512}, {116}, State::gone}}));
}

TEST(BadAreas, WhatNoFileTookIsLeft) {
  BadAreas areas({{{4096, 4096}, {108}, State::lost}, {{20480, 512}, {140}, State::suspect}});
  EXPECT_EQ(areas.unclaimed(),
            (UnclaimedRanges{{{{108}, {8}}, State::lost}, {{{140}, {1}}, State::suspect}}));
  ASSERT_EQ(areas.take({4608, 1024}).size(), 1U);
  ASSERT_EQ(areas.take({5120, 512}).size(), 1U);  // shared with the one before
  EXPECT_EQ(areas.unclaimed(), (UnclaimedRanges{{{{108}, {1}}, State::lost},
                                                {{{111}, {5}}, State::lost},
                                                {{{140}, {1}}, State::suspect}}));
  ASSERT_EQ(areas.take({0, 1U << 20U}).size(), 2U);
  EXPECT_TRUE(areas.unclaimed().empty());
}

TEST(BadAreas, APartOfASectorTakesAllOfIt) {
  BadAreas areas({{{4096, 1024}, {108}, State::lost}});
  ASSERT_EQ(areas.take({4196, 60}).size(), 1U);
  EXPECT_EQ(areas.unclaimed(), (UnclaimedRanges{{{{109}, {1}}, State::lost}}));
}

TEST(BadAreas, TwoSectorsMayStandForOnePlace) {
  // As two copies of one chunk do.
  BadAreas areas({{{4096, 512}, {8}, State::lost}, {{4096, 4096}, {2048}, State::gone}});
  EXPECT_EQ(areas.take({4096, 512}).size(), 2U);
  EXPECT_EQ(areas.unclaimed(), (UnclaimedRanges{{{{2049}, {7}}, State::gone}}));
}

}  // namespace
}  // namespace dmremap::files
