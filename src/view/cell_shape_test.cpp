// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cell_shape.hpp"

#include <gtest/gtest.h>

namespace dmremap::view {
namespace {

using format::State;

StateCounts counts(std::uint64_t good, std::uint64_t remapped, std::uint64_t suspect,
                   std::uint64_t lost, std::uint64_t gone) {
  return {good, remapped, suspect, lost, gone};
}

const CellLayer& innermost(const CellShape& shape) {
  return shape.layers[shape.count - 1];
}

TEST(CellShape, WhereAllIsGoodNothingIsDrawn) {
  EXPECT_EQ(shape_of(counts(2048, 0, 0, 0, 0)).count, 0U);
}

TEST(CellShape, OneSectorIsASignAndAllAreTheFullSquare) {
  const CellShape few = shape_of(counts(4'000'000, 0, 0, 1, 0));
  EXPECT_TRUE(few.sign);
  EXPECT_FALSE(few.patch);
  const CellShape all = shape_of(counts(0, 0, 0, 2048, 0));
  EXPECT_FALSE(all.sign);
  EXPECT_EQ(innermost(all).steps, kShapeSteps);
  EXPECT_LT(innermost(shape_of(counts(1, 0, 0, 1'000'000, 0))).steps, kShapeSteps)
      << "one good sector is not nothing";
}

TEST(CellShape, TheColouredAreaIsTheShare) {
  EXPECT_EQ(innermost(shape_of(counts(3, 1, 0, 0, 0))).steps, 4);
  EXPECT_EQ(innermost(shape_of(counts(7, 9, 0, 0, 0))).steps, 6);
  int before = 0;
  for (std::uint64_t bad = 1; bad <= 100; ++bad) {
    const int steps = innermost(shape_of(counts(100 - bad, bad, 0, 0, 0))).steps;
    EXPECT_GE(steps, before) << bad;
    before = steps;
  }
}

TEST(CellShape, RemappedSectorsAreNoSign) {
  EXPECT_FALSE(shape_of(counts(4'000'000, 1, 0, 0, 0)).sign);
}

TEST(CellShape, TheWorstIsInnermostAndSeenInAFullSquare) {
  const CellShape shape = shape_of(counts(0, 4'000'000, 0, 1, 0));
  ASSERT_EQ(shape.count, 2U);
  EXPECT_EQ(shape.layers[0].state, State::remapped);
  EXPECT_EQ(shape.layers[0].steps, kShapeSteps);
  EXPECT_EQ(innermost(shape).state, State::lost);
  EXPECT_TRUE(shape.sign);
  EXPECT_TRUE(shape.patch) << "a sign needs ground around it";
}

TEST(CellShape, WhatTheGroundOfASignWouldCoverIsLeftOut) {
  const CellShape shape = shape_of(counts(1000, 100, 100, 1, 0));
  ASSERT_EQ(shape.count, 1U);
  EXPECT_EQ(innermost(shape).state, State::lost);
  EXPECT_FALSE(shape.patch);
}

TEST(CellShape, EveryStateOfASquareIsALayerIfThereIsRoom) {
  const CellShape shape = shape_of(counts(0, 30, 30, 0, 60));
  ASSERT_EQ(shape.count, 3U);
  EXPECT_EQ(shape.layers[0].steps, 8);
  EXPECT_EQ(shape.layers[1].steps, 7);
  EXPECT_EQ(shape.layers[2].steps, 6);
  EXPECT_FALSE(shape.sign);
}

}  // namespace
}  // namespace dmremap::view
