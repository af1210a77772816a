// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cells.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

std::vector<State> states_of(const Cells& cells) {
  std::vector<State> out;
  for (std::size_t i = 0; i < cells.size(); ++i) out.push_back(cells.worst(i));
  return out;
}

TEST(Cells, OneLostSectorOfFourTebibytesIsSeen) {
  const SectorCount size{std::uint64_t{1} << 33U};
  const std::vector<Extent> table{
      Extent(State::remapped, {{5'000'000'000}, {1000}}, {kFirstSpare, {3072}}),
      Extent(State::lost, {{5'000'001'000}, {1}}),
      Extent(State::remapped, {{5'000'001'001}, {1000}}, {kFirstSpare, {5000}})};
  const Cells cells = make_cells(table, {{0}, size}, 1000);
  EXPECT_LE(cells.size(), 1000U);
  EXPECT_EQ(std::ranges::count(states_of(cells), State::lost), 1);
  EXPECT_EQ(cells.worst(5'000'001'000 / cells.per_cell.value), State::lost);
}

TEST(Cells, TheWorstStateWins) {
  std::vector<Extent> table;
  std::uint64_t at = 0;
  for (const State state : {State::remapped, State::suspect, State::lost, State::gone}) {
    table.emplace_back(state, SectorRange{{at++}, {1}});
    EXPECT_EQ(states_of(make_cells(table, {{0}, {8}}, 1)), std::vector{state});
  }
}

TEST(Cells, AnExtentReachesAsFarAsItGoes) {
  const std::vector<Extent> table{Extent(State::lost, {{3}, {6}})};
  const Cells cells = make_cells(table, {{0}, {16}}, 8);
  EXPECT_EQ(cells.per_cell.value, 2U);
  const State g = State::good;
  const State l = State::lost;
  EXPECT_EQ(states_of(cells), (std::vector{g, l, l, l, l, g, g, g}));
  EXPECT_EQ(cells.counts[1], (StateCounts{1, 0, 0, 1, 0}));
  EXPECT_EQ(cells.share_of_worst(1), 0.5);
  EXPECT_EQ(cells.share_of_worst(2), 1);
}

TEST(Cells, TheyCoverTheDiskAndFitAndAreRound) {
  for (const std::uint64_t size : {1ULL, 7ULL, 1000ULL, 32768ULL, 1'953'525'168ULL, 1ULL << 40U}) {
    for (const std::uint64_t count : {1ULL, 3ULL, 640ULL, 5000ULL}) {
      const Cells cells = make_cells({}, {{0}, {size}}, count);
      EXPECT_LE(cells.size(), count);
      EXPECT_GE(cells.size() * cells.per_cell.value, size);
      EXPECT_LT((cells.size() - 1) * cells.per_cell.value, size);
    }
  }
}

TEST(Cells, APartOfTheDiskHasOnlyWhatLiesInIt) {
  const std::vector<Extent> table{Extent(State::lost, {{3}, {7}}),
                                  Extent(State::gone, {{20}, {1}})};
  const SectorRange part{{5}, {10}};
  const Cells cells = make_cells(table, part, 4);
  EXPECT_EQ(cells.per_cell.value, 4U);
  ASSERT_EQ(cells.size(), 3U);
  EXPECT_EQ(cells.counts[0], (StateCounts{0, 0, 0, 4, 0}));
  EXPECT_EQ(cells.counts[1], (StateCounts{3, 0, 0, 1, 0}));
  EXPECT_EQ(cells.range_of(2), (SectorRange{{13}, {2}}));
  EXPECT_EQ(count_states(table, part), (StateCounts{5, 0, 0, 5, 0}));
}

TEST(Cells, CountsAddUpToTheDisk) {
  const std::vector<Extent> table{Extent(State::lost, {{3}, {6}}), Extent(State::gone, {{20}, {1}}),
                                  Extent(State::remapped, {{30}, {4}}, {kFirstSpare, {3072}}),
                                  Extent(State::suspect, {{40}, {2}})};
  EXPECT_EQ(count_states(table, {{0}, {100}}), (StateCounts{87, 4, 2, 6, 1}));
}

}  // namespace
}  // namespace dmremap::view
