// SPDX-License-Identifier: GPL-2.0-or-later
#include "table/known_bad.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/parse.hpp"

namespace dmremap::table {
namespace {

using format::Extent;
using format::State;
using Ranges = std::vector<SectorRange>;

constexpr io::Geometry kSmallBlocks{{1000}, 512, 4096};
constexpr io::Geometry kLargeBlocks{{1000}, 4096, 4096};

TEST(KnownBad, RangesAreRoundedOutToMainsBlocks) {
  const auto fitted = fit_to_main({{{{9}, {1}}, {{31}, {2}}}, {}}, kLargeBlocks);
  ASSERT_TRUE(fitted);
  EXPECT_EQ(fitted->lost, (Ranges{{{8}, {8}}, {{24}, {16}}}));
}

TEST(KnownBad, OrderAndOverlapsDoNotMatter) {
  const auto fitted =
      fit_to_main({{{{50}, {10}}, {{10}, {5}}, {{12}, {8}}, {{20}, {1}}}, {}}, kSmallBlocks);
  ASSERT_TRUE(fitted);
  EXPECT_EQ(fitted->lost, (Ranges{{{10}, {11}}, {{50}, {10}}}));
}

TEST(KnownBad, WhatIsBothIsLost) {
  const auto fitted =
      fit_to_main({{{{10}, {2}}, {{20}, {5}}}, {{{5}, {30}}, {{22}, {1}}}}, kSmallBlocks);
  ASSERT_TRUE(fitted);
  EXPECT_EQ(fitted->suspect, (Ranges{{{5}, {5}}, {{12}, {8}}, {{25}, {10}}}));
}

TEST(KnownBad, WhatIsNotOnMainIsRefused) {
  for (const SectorRange range : {SectorRange{{999}, {2}}, SectorRange{{1000}, {1}},
                                  SectorRange{{kAddressLimitSectors}, {1}}}) {
    EXPECT_EQ(fit_to_main({{range}, {}}, kSmallBlocks).error().code, ErrorCode::usage);
    EXPECT_EQ(fit_to_main({{}, {range}}, kSmallBlocks).error().code, ErrorCode::usage);
  }
  EXPECT_TRUE(fit_to_main({{{{999}, {1}}}, {}}, kSmallBlocks));
}

TEST(KnownBad, WhatIsKnownBetterStaysAsItIs) {
  const Table table(
      std::vector<Extent>{Extent(State::suspect, {{0}, {10}}), Extent(State::lost, {{10}, {10}}),
                          Extent(State::gone, {{20}, {10}}),
                          Extent(State::remapped, {{30}, {10}}, {kFirstSpare, {5000}})},
      {});
  EXPECT_EQ(count_marks({{{{0}, {50}}}, {}}, table), (MarkReport{{20}, {0}, {30}}));
  EXPECT_EQ(count_marks({{}, {{{0}, {50}}}}, table), (MarkReport{{0}, {10}, {40}}));
}

TEST(KnownBad, LongRunsAreSeveralEntries) {
  const std::uint64_t length = 3 * format::kMaxExtentSectors;
  const auto extents = extents_of({{{{100}, {length}}}, {{{8}, {8}}}}, 0);
  EXPECT_EQ(extents.front(), Extent(State::suspect, {{8}, {8}}).with_evidence(0, 1, 0));
  for (std::size_t i = 1; i < extents.size(); ++i) {
    EXPECT_FALSE(extents[i - 1].joins(extents[i])) << "no more entries than it takes";
  }
  const Table table(extents, {});
  EXPECT_EQ(table.counts().lost, length);
  EXPECT_EQ(table.counts().suspect, 8U);
}

// Sector by sector, the way one would say it.
RC_GTEST_PROP(KnownBad, FittedListSaysTheSameOfEverySector, ()) {
  const auto some = [] {
    Ranges out;
    const auto count = *rc::gen::inRange(0, 8);
    for (int i = 0; i < count; ++i) {
      const auto first = *rc::gen::inRange<std::uint64_t>(0, 200);
      out.push_back({{first}, {*rc::gen::inRange<std::uint64_t>(0, 30)}});
    }
    return out;
  };
  const KnownBad list{some(), some()};
  const auto fitted = fit_to_main(list, kSmallBlocks);
  RC_ASSERT(fitted.has_value());
  const auto in = [](const Ranges& ranges, Sector s) {
    return std::ranges::count_if(ranges, [s](const SectorRange& r) { return r.contains(s); });
  };
  const auto held = covering(*fitted, 2);
  RC_ASSERT(held.size() <= 2U);
  for (Sector s{0}; s < Sector{240}; s = s + SectorCount{1}) {
    const bool lost = in(list.lost, s) > 0;
    const bool suspect = !lost && in(list.suspect, s) > 0;
    RC_ASSERT(in(fitted->lost, s) == (lost ? 1 : 0));
    RC_ASSERT(in(fitted->suspect, s) == (suspect ? 1 : 0));
    if (lost || suspect) RC_ASSERT(in(held, s) == 1);
  }
}

}  // namespace
}  // namespace dmremap::table
