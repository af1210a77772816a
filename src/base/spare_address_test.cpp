// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/spare_address.hpp"

#include <type_traits>

#include <gtest/gtest.h>

namespace dmremap {
namespace {

constexpr SpareIndex kSecond{1};

TEST(SpareAddress, NeitherASectorNorANumberIsOne) {
  static_assert(!std::is_convertible_v<Sector, SpareAddress>);
  static_assert(!std::is_constructible_v<SpareAddress, Sector>);
  static_assert(!std::is_convertible_v<int, SpareIndex>);
  static_assert(!std::is_convertible_v<SectorRange, SpareRange>);
}

TEST(SpareAddress, IsOrderedBySpareFirst) {
  EXPECT_LT((SpareAddress{kFirstSpare, {900}}), (SpareAddress{kSecond, {8}}));
  EXPECT_LT((SpareAddress{kSecond, {8}}), (SpareAddress{kSecond, {9}}));
  EXPECT_EQ((SpareAddress{kSecond, {8}} + SectorCount{4}), (SpareAddress{kSecond, {12}}));
}

TEST(SpareRange, OverlapsOnTheSameSpareOnly) {
  const SpareRange run{{kFirstSpare, {100}}, {8}};
  EXPECT_TRUE(run.overlaps({{kFirstSpare, {107}}, {8}}));
  EXPECT_FALSE(run.overlaps({{kFirstSpare, {108}}, {8}}));
  EXPECT_FALSE(run.overlaps({{kSecond, {100}}, {8}}));
  EXPECT_EQ(run.intersect({{kFirstSpare, {104}}, {8}}), (SpareRange{{kFirstSpare, {104}}, {4}}));
  EXPECT_TRUE(run.intersect({{kSecond, {100}}, {8}}).empty());
}

}  // namespace
}  // namespace dmremap
