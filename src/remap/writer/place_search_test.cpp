// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/writer/place_search.hpp"

#include <gtest/gtest.h>

namespace dmremap::remap {
namespace {

// How far from the first failure each attempt of a search that meets nothing but failures is.
std::vector<std::uint64_t> attempts(SectorCount capacity, SectorCount unit) {
  PlaceSearch search(capacity, unit);
  std::vector<std::uint64_t> out{0};
  while (const auto jump = search.report_failure()) {
    out.push_back(out.back() + unit.value + jump->value);
  }
  return out;
}

TEST(PlaceSearch, TriesNeighboursFirstAndThenIsPastTenMegabytesWithinTenJumps) {
  const auto places = attempts({std::uint64_t{1} << 31U}, {1});
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(places[i], i);
  EXPECT_GT(places[8 + 12], 20'480U);
}

TEST(PlaceSearch, Promise4_ComesAllOverASpareOfAnySizeBeforeItGivesUp) {
  for (const std::uint64_t capacity : {20'000ULL, 1'000'000ULL, 1ULL << 31U, 1ULL << 40U}) {
    for (const std::uint64_t unit : {1U, 8U}) {
      const auto places = attempts({capacity}, {unit});
      EXPECT_GE(places.back(), capacity) << capacity;
      EXPECT_LE(places.size(), 100U);
    }
  }
}

TEST(PlaceSearch, ASuccessEndsTheRow) {
  PlaceSearch search({100'000}, {1});
  for (int i = 0; i < 20; ++i) (void)search.report_failure();
  EXPECT_TRUE(search.feeling());
  search.report_success();
  EXPECT_FALSE(search.feeling());
  EXPECT_EQ(search.report_failure(), SectorCount{0});
}

}  // namespace
}  // namespace dmremap::remap
