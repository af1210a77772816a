// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cells.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

TEST(Cells, OneLostSectorOfFourTebibytesIsSeen) {
  const SectorCount size{std::uint64_t{1} << 33U};
  const std::vector<Extent> table{
      Extent(State::remapped, {{5'000'000'000}, {1000}}, {kFirstSpare, {3072}}),
      Extent(State::lost, {{5'000'001'000}, {1}}),
      Extent(State::remapped, {{5'000'001'001}, {1000}}, {kFirstSpare, {5000}})};
  const Cells cells = make_cells(table, size, 1000);
  EXPECT_LE(cells.states.size(), 1000U);
  EXPECT_EQ(std::ranges::count(cells.states, State::lost), 1);
  EXPECT_EQ(cells.states[5'000'001'000 / cells.per_cell.value], State::lost);
}

TEST(Cells, TheWorstStateWins) {
  std::vector<Extent> table;
  std::uint64_t at = 0;
  for (const State state : {State::remapped, State::suspect, State::lost, State::gone}) {
    table.emplace_back(state, SectorRange{{at++}, {1}});
    EXPECT_EQ(make_cells(table, {8}, 1).states, std::vector{state});
  }
}

TEST(Cells, AnExtentReachesAsFarAsItGoes) {
  const std::vector<Extent> table{Extent(State::lost, {{3}, {6}})};
  const Cells cells = make_cells(table, {16}, 8);
  EXPECT_EQ(cells.per_cell.value, 2U);
  const State g = State::good;
  const State l = State::lost;
  EXPECT_EQ(cells.states, (std::vector{g, l, l, l, l, g, g, g}));
}

TEST(Cells, TheyCoverTheDiskAndFitAndAreRound) {
  for (const std::uint64_t size : {1ULL, 7ULL, 1000ULL, 32768ULL, 1'953'525'168ULL, 1ULL << 40U}) {
    for (const std::uint64_t count : {1ULL, 3ULL, 640ULL, 5000ULL}) {
      const Cells cells = make_cells({}, {size}, count);
      EXPECT_LE(cells.states.size(), count);
      EXPECT_GE(cells.states.size() * cells.per_cell.value, size);
      EXPECT_LT((cells.states.size() - 1) * cells.per_cell.value, size);
    }
  }
}

TEST(Cells, CountsAddUpToTheDisk) {
  const std::vector<Extent> table{Extent(State::lost, {{3}, {6}}), Extent(State::gone, {{20}, {1}}),
                                  Extent(State::remapped, {{30}, {4}}, {kFirstSpare, {3072}}),
                                  Extent(State::suspect, {{40}, {2}})};
  EXPECT_EQ(count_states(table, {100}), (StateCounts{87, 4, 2, 6, 1}));
}

}  // namespace
}  // namespace dmremap::view
