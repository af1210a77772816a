// SPDX-License-Identifier: GPL-2.0-or-later
// md's range merging was buggy for years (facts: "What others do"): ours is compared with a map of
// single sectors.
#include "table/table.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "table/route.hpp"

namespace dmremap::table {
namespace {

using format::Extent;
using format::State;

constexpr std::uint64_t kSectors = 400;

struct Cell {
  State state = State::good;
  std::uint64_t spare = 0;
  std::uint32_t sequence = 0;

  bool operator==(const Cell&) const = default;
};
using Cells = std::array<Cell, kSectors>;

Extent extent(State state, std::uint64_t first, std::uint64_t count, std::uint64_t spare,
              std::uint32_t sequence) {
  Extent out(state, {{first}, {count}}, {kFirstSpare, {state == State::remapped ? spare : 0}});
  return out.with_evidence(5, sequence, 0);
}

Cells cells_of(const Table& table) {
  Cells out;
  for (const Extent& e : table.extents()) {
    for (std::uint64_t i = 0; i < e.main().count.value; ++i) {
      const bool remapped = e.state() == State::remapped;
      out[e.main().first.value + i] = {e.state(), remapped ? e.spare().first.sector.value + i : 0,
                                       e.bound_sequence()};
    }
  }
  return out;
}

// What the table says through the call that requests use.
Cells cells_by_pieces(const Table& table, std::uint64_t from, std::uint64_t to) {
  Cells out;
  Sector at{from};
  for (const Piece& piece : table.pieces({{from}, {to - from}})) {
    RC_ASSERT(piece.main.first == at);
    RC_ASSERT(!piece.main.empty());
    for (std::uint64_t i = 0; i < piece.main.count.value; ++i) {
      const bool remapped = piece.state == State::remapped;
      out[at.value + i] = {piece.state, remapped ? piece.spare.sector.value + i : 0, 0};
    }
    at = piece.main.end();
  }
  RC_ASSERT(at == Sector{to});
  return out;
}

bool well_formed(const Table& table) {
  const auto extents = table.extents();
  if (extents.size() != table.size()) return false;
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].main().first < extents[i - 1].main().end()) return false;
    if (extents[i - 1].joins(extents[i])) return false;
  }
  return true;
}

StateCounts count(const Cells& cells) {
  StateCounts out;
  for (const Cell& cell : cells) {
    if (cell.state == State::suspect) ++out.suspect;
    if (cell.state == State::lost) ++out.lost;
    if (cell.state == State::gone) ++out.gone;
    if (cell.state == State::remapped) ++out.remapped;
  }
  return out;
}

State any_state() {
  return *rc::gen::element(State::good, State::suspect, State::lost, State::gone, State::remapped);
}

RC_GTEST_PROP(Table, SaysOfEverySectorWhatAMapOfSingleSectorsSays, ()) {
  Table table;
  Cells cells;
  const int steps = *rc::gen::inRange(1, 60);
  for (int step = 0; step < steps; ++step) {
    const auto first = *rc::gen::inRange<std::uint64_t>(0, kSectors);
    const auto count =
        *rc::gen::inRange<std::uint64_t>(1, std::min<std::uint64_t>(kSectors - first, 40) + 1);
    const State state = any_state();
    // Few distinct values, so that neighbours often join.
    const auto spare = first + 1000 * *rc::gen::inRange<std::uint64_t>(0, 3);
    const auto sequence = *rc::gen::inRange<std::uint32_t>(0, 2);
    const Extent put =
        extent(state == State::good ? State::lost : state, first, count, spare, sequence);
    const bool good = state == State::good;
    table = table.replaced({{first}, {count}},
                           good ? std::span<const Extent>{} : std::span<const Extent>{&put, 1});
    for (std::uint64_t i = 0; i < count; ++i) {
      cells[first + i] =
          good ? Cell{} : Cell{state, state == State::remapped ? spare + i : 0, sequence};
    }
    RC_ASSERT(cells_of(table) == cells);
    RC_ASSERT(well_formed(table));
    RC_ASSERT(table.counts() == table::count(cells));
  }
  const auto from = *rc::gen::inRange<std::uint64_t>(0, kSectors);
  const auto to = *rc::gen::inRange<std::uint64_t>(from, kSectors + 1);
  const Cells seen = cells_by_pieces(table, from, to);
  bool any = false;
  for (std::uint64_t i = from; i < to; ++i) {
    RC_ASSERT(seen[i].state == cells[i].state);
    RC_ASSERT(seen[i].spare == cells[i].spare);
    any = any || cells[i].state != State::good;
  }
  if (from < to) RC_ASSERT(table.any({{from}, {to - from}}) == any);
}

RC_GTEST_PROP(Table, ReplacesARangeBySeveralExtentsAtOnce, ()) {
  const auto first = *rc::gen::inRange<std::uint64_t>(0, 300);
  std::vector<Extent> before;
  for (std::uint64_t at = 0; at + 10 < kSectors; at += 10) {
    before.push_back(extent(State::remapped, at, 7, 5000 + at, 1));
  }
  const Table table(before, {});
  const std::vector<Extent> put{extent(State::lost, first + 2, 3, 0, 2),
                                extent(State::gone, first + 50, 20, 0, 2)};
  Cells cells = cells_of(table);
  for (std::uint64_t i = first; i < first + 100; ++i) cells[i] = {};
  for (const Extent& e : put) {
    for (std::uint64_t i = 0; i < e.main().count.value; ++i) {
      cells[e.main().first.value + i] = {e.state(), 0, 2};
    }
  }
  const Table after = table.replaced({{first}, {100}}, put);
  RC_ASSERT(cells_of(after) == cells);
  RC_ASSERT(well_formed(after));
}

RC_GTEST_PROP(Route, StretchesCoverTheRangeAndMergeWhatOneRequestCanServe, ()) {
  Table table;
  const int steps = *rc::gen::inRange(0, 30);
  for (int step = 0; step < steps; ++step) {
    const auto first = *rc::gen::inRange<std::uint64_t>(0, kSectors - 20);
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 20);
    const State state =
        *rc::gen::element(State::suspect, State::lost, State::gone, State::remapped);
    const Extent put =
        extent(state, first, count, first + 1000, *rc::gen::inRange<std::uint32_t>(0, 3));
    table = table.replaced({{first}, {count}}, {&put, 1});
  }
  const auto from = *rc::gen::inRange<std::uint64_t>(0, kSectors);
  const auto to = *rc::gen::inRange<std::uint64_t>(from + 1, kSectors + 1);
  const Cells cells = cells_of(table);
  Sector at{from};
  std::optional<Stretch> last;
  bool nowhere = false;
  for (const Stretch& stretch : stretches(table, {{from}, {to - from}})) {
    RC_ASSERT(stretch.range.first == at);
    for (std::uint64_t i = 0; i < stretch.range.count.value; ++i) {
      const Cell& cell = cells[at.value + i];
      RC_ASSERT(place_of(cell.state) == stretch.place);
      if (stretch.place == Place::spare) RC_ASSERT(cell.spare == stretch.spare.sector.value + i);
    }
    // All spare sectors are at main + 1000 here, so two neighbours of one place would be one.
    if (last) RC_ASSERT(last->place != stretch.place);
    last = stretch;
    nowhere = nowhere || stretch.place == Place::nowhere;
    at = stretch.range.end();
  }
  RC_ASSERT(at == Sector{to});
  RC_ASSERT(any_nowhere(table, {{from}, {to - from}}) == nowhere);
}

TEST(Table, SplitsAnExtentExactlyAtSectorResolution) {
  const Extent burst = extent(State::remapped, 100, 8, 5000, 1);
  const Extent hole = extent(State::lost, 103, 1, 0, 2);
  const Table table = Table({&burst, 1}, {}).replaced({{103}, {1}}, {&hole, 1});
  EXPECT_EQ(table.piece_at({100}, {108}),
            (Piece{{{100}, {3}}, State::remapped, {kFirstSpare, {5000}}}));
  EXPECT_EQ(table.piece_at({103}, {108}), (Piece{{{103}, {1}}, State::lost, {}}));
  EXPECT_EQ(table.piece_at({104}, {108}),
            (Piece{{{104}, {4}}, State::remapped, {kFirstSpare, {5004}}}));
}

TEST(Table, AWalkShowsThePiecesOfItsRangeAndNoMore) {
  const Extent burst = extent(State::remapped, 100, 8, 5000, 1);
  const Extent hole = extent(State::lost, 103, 1, 0, 2);
  const Table table = Table({&burst, 1}, {}).replaced({{103}, {1}}, {&hole, 1});
  std::vector<Piece> seen;
  for (const Piece& piece : table.pieces({{98}, {8}})) seen.push_back(piece);
  EXPECT_EQ(seen, (std::vector<Piece>{{{{98}, {2}}, State::good, {}},
                                      {{{100}, {3}}, State::remapped, {kFirstSpare, {5000}}},
                                      {{{103}, {1}}, State::lost, {}},
                                      {{{104}, {2}}, State::remapped, {kFirstSpare, {5004}}}}));
  EXPECT_TRUE(table.pieces({{100}, {0}}).begin() == std::default_sentinel);
  EXPECT_TRUE(stretches(table, {{100}, {0}}).begin() == std::default_sentinel);
  static_assert(std::ranges::input_range<Table::Pieces> && std::ranges::input_range<Stretches>);
}

TEST(Table, AMillionExtentsShareAllButAFewLeavesWithTheirSuccessor) {
  std::vector<Extent> many;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    many.push_back(extent(State::remapped, i * 16, 8, i * 8, 1));
  }
  const Table before(many, {});
  const Extent one = extent(State::lost, 8'000'003, 2, 0, 2);
  const Table after = before.replaced(one.main(), {&one, 1});
  EXPECT_GE(after.leaves_shared_with(before), before.leaves() - 3);
  // 22 bytes an extent and little for the leaves: at most 24 in all.
  EXPECT_LE(after.leaves(), after.size() / (Table::kLeafExtents / 2));
}

TEST(Table, LeavesStayWellFilledUnderScatteredChanges) {
  Table table;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::uint64_t at = (i * 7919) % 20'000;
    const Extent one = extent(State::lost, at * 4, 1, 0, 1);
    table = table.replaced(one.main(), {&one, 1});
  }
  EXPECT_EQ(table.size(), 20'000U);
  EXPECT_LE(table.leaves(), 20'000U / (Table::kLeafExtents / 4));
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    if (i % 100 != 0) table = table.replaced({{i * 4}, {1}}, {});
  }
  EXPECT_EQ(table.size(), 200U);
  EXPECT_LE(table.leaves(), 4U);
}

TEST(Table, APieceAndAStretchNameTheirSpare) {
  const SpareIndex second{1};
  const std::array extents{Extent(State::remapped, {{100}, {4}}, {kFirstSpare, {5000}}),
                           Extent(State::remapped, {{104}, {4}}, {second, {5004}})};
  const Table table(extents, {});
  EXPECT_EQ(table.piece_at({106}, {110}), (Piece{{{106}, {2}}, State::remapped, {second, {5006}}}));
  // They would be one if the sector alone counted.
  EXPECT_EQ(stretch_at(table, {100}, {108}),
            (Stretch{{{100}, {4}}, Place::spare, {kFirstSpare, {5000}}}));
  EXPECT_EQ(stretch_at(table, {104}, {108}),
            (Stretch{{{104}, {4}}, Place::spare, {second, {5004}}}));
}

TEST(Table, RetiredSpareSectorsAreKeptSortedAndJoined) {
  const Extent a(State::retired, {{0}, {8}}, {kFirstSpare, {100}});
  const Extent b(State::retired, {{0}, {8}}, {kFirstSpare, {108}});
  const Extent c(State::retired, {{0}, {1}}, {kFirstSpare, {20}});
  const Table table = Table().with_retired(a).with_retired(c).with_retired(b);
  ASSERT_EQ(table.retired().size(), 2U);
  EXPECT_EQ(table.retired()[0].spare(), (SpareRange{{kFirstSpare, {20}}, {1}}));
  EXPECT_EQ(table.retired()[1].spare(), (SpareRange{{kFirstSpare, {100}}, {16}}));
  EXPECT_EQ(table.counts().retired, 17U);
}

// By a look at every extent of both.
format::TableChange change_by_hand(const Table& before, const Table& now) {
  const auto lacks = [](const std::vector<Extent>& list, const Extent& extent) {
    return std::ranges::find(list, extent) == list.end();
  };
  const auto old_ones = before.extents();
  const auto new_ones = now.extents();
  format::TableChange out;
  for (const Extent& e : old_ones) {
    if (lacks(new_ones, e)) out.removed.push_back(e);
  }
  for (const Extent& e : before.retired()) {
    if (lacks(now.retired(), e)) out.removed.push_back(e);
  }
  for (const Extent& e : new_ones) {
    if (lacks(old_ones, e)) out.added.push_back(e);
  }
  for (const Extent& e : now.retired()) {
    if (lacks(before.retired(), e)) out.added.push_back(e);
  }
  return out;
}

// A leaf is kept by groups that tables share: it must live as long as any table that names it, and
// nothing must be kept that no table names any more.
TEST(Table, OfManyVersionsEachKeepsItsLeavesAndNoMore) {
  std::vector<Extent> extents;
  for (std::uint64_t i = 0; i < 60'000; ++i) {
    extents.push_back(extent(State::remapped, i * 8, 4, i * 4, 1));
  }
  Table table(extents, {});
  ASSERT_GT(table.leaves(), 3 * Table::kGroupLeaves);
  std::vector<Table> versions;
  std::mt19937_64 random(1);
  for (int round = 0; round < 400; ++round) {
    const std::uint64_t first = random() % 60'000;
    const std::uint64_t count = round % 20 == 0 ? 9'000 : 1 + random() % 30;
    const std::uint64_t at = first * 8 + 4;
    const std::uint64_t length = std::min<std::uint64_t>(count * 8, 480'000 - at);
    table = round % 3 == 0
                ? table.replaced({{at}, {length}}, {})
                : table.replaced({{at}, {4}}, std::array{extent(State::gone, at, 4, 0, 2)});
    ASSERT_TRUE(well_formed(table)) << round;
    ASSERT_EQ(table.owned_leaves(), table.leaves()) << round;
    versions.push_back(table);
    if (versions.size() > 8) versions.erase(versions.begin());
  }
  for (const Table& version : versions) EXPECT_TRUE(well_formed(version));
}

RC_GTEST_PROP(Table, TheChangeFromAnotherIsWhatOnlyOneOfThemHolds, ()) {
  Table now;
  for (std::uint64_t i = 0; i < 900; ++i) {
    now = now.replaced({{i * 8}, {4}}, std::array{extent(State::remapped, i * 8, 4, i * 4, 1)});
  }
  RC_ASSERT(now.leaves() > 3U);
  Table before = now;
  const int steps = *rc::gen::inRange(0, 12);
  for (int step = 0; step < steps; ++step) {
    if (*rc::gen::inRange(0, 4) == 0) before = now;
    const auto first = *rc::gen::inRange<std::uint64_t>(0, 7'300);
    const auto count = *rc::gen::element<std::uint64_t>(1, 4, 30, 2'500);
    if (*rc::gen::inRange(0, 5) == 0) {
      const auto number = static_cast<std::uint64_t>(step);
      now = now.with_retired(
          Extent(State::retired, {{0}, {1}}, {kFirstSpare, {20'000 + 3 * number}}));
    }
    const State state = any_state();
    const auto with = extent(state, first, count, 9'000, 2);
    now = state == State::good ? now.replaced({{first}, {count}}, {})
                               : now.replaced({{first}, {count}}, std::array{with});
  }
  const format::TableChange change = now.change_from(before);
  const format::TableChange expected = change_by_hand(before, now);
  RC_ASSERT(change.removed == expected.removed);
  RC_ASSERT(change.added == expected.added);
}

}  // namespace
}  // namespace dmremap::table
