// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/leaf.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::table {
namespace {

using format::Extent;
using format::State;

// Sorted, disjoint, of every state and of lengths from one sector to the longest there can be.
std::vector<Extent> extents(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Extent> out;
  std::uint64_t at = format::kMaxSector / 2;
  const auto within = [&random](std::uint64_t limit) { return random() % limit; };
  while (out.size() < count) {
    // So that all of them begin within a span: few may be long.
    const bool is_long = count <= 16 && within(2) == 0;
    const std::uint64_t length = 1 + within(is_long ? format::kMaxExtentSectors : 300);
    const auto state = static_cast<State>(1 + within(4));
    const SpareAddress spare{kFirstSpare,
                             {state == State::remapped ? within(format::kMaxSector) : 0}};
    at += within(1000);
    out.push_back(Extent(state, {{at}, {length}}, spare)
                      .with_evidence(static_cast<int>(within(256)), random(), random()));
    at += length;
  }
  return out;
}

TEST(Leaf, GivesBackEveryBitOfWhatItWasMadeOf) {
  for (const std::size_t count : {1U, 2U, 3U, 16U, 255U, 256U}) {
    const auto made_of = extents(count, count);
    const Leaf leaf{std::span<const Extent>(made_of)};
    ASSERT_EQ(leaf.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(leaf[i], made_of[i]);
      EXPECT_EQ(leaf.main(i), made_of[i].main());
      EXPECT_EQ(leaf.state(i), made_of[i].state());
      EXPECT_EQ(leaf.spare(i), made_of[i].spare().first);
      EXPECT_EQ(leaf.first_of(i), made_of[i].main().first);
    }
  }
}

TEST(Leaf, HoldsTheLongestExtentAndOneThatBeginsAtTheEndOfItsSpan) {
  const std::vector<Extent> made_of{
      Extent(State::lost, {{5}, {format::kMaxExtentSectors}}),
      Extent(State::gone, {Sector{5} + Leaf::kSpan - SectorCount{1}, {format::kMaxExtentSectors}})};
  const Leaf leaf{std::span<const Extent>(made_of)};
  EXPECT_EQ(leaf[0], made_of[0]);
  EXPECT_EQ(leaf[1], made_of[1]);
  EXPECT_EQ(leaf.last_begun(made_of[1].main().first), 1U);
  EXPECT_EQ(leaf.last_begun(made_of[1].main().first - SectorCount{1}), 0U);
  EXPECT_EQ(leaf.last_begun({format::kMaxSector}), 1U);
}

TEST(Leaf, FindsTheLastExtentThatBeginsAtOrBeforeASector) {
  for (const std::size_t count : {1U, 2U, 3U, 7U, 100U, 256U}) {
    const auto made_of = extents(count, count + 1);
    const Leaf leaf{std::span<const Extent>(made_of)};
    for (std::size_t i = 0; i < count; ++i) {
      const SectorRange main = made_of[i].main();
      EXPECT_EQ(leaf.last_begun(main.first), i);
      EXPECT_EQ(leaf.last_begun(main.end() - SectorCount{1}), i);
      if (i > 0) {
        EXPECT_EQ(leaf.last_begun(main.first - SectorCount{1}), i - 1);
      }
    }
  }
}

}  // namespace
}  // namespace dmremap::table
