// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/page_picture.hpp"

#include <gtest/gtest.h>

#include "view/state_style.hpp"

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

std::vector<Extent> every_state() {
  return {Extent(State::remapped, {{64}, {8}}, {kFirstSpare, {3072}}),
          Extent(State::suspect, {{200}, {1}}), Extent(State::lost, {{300}, {1}}),
          Extent(State::gone, {{511}, {1}})};
}

TEST(PagePicture, EachStateHasItsClassAndBadOnesAMark) {
  const std::string out = print_page_picture(make_picture_cells(every_state(), {512}), 96, "wide");
  for (const State state : kStatesOfMain) {
    EXPECT_EQ(count_of(out, "\"cell " + std::string(name_of(state)) + "\""), 1U);
    EXPECT_EQ(count_of(out, "\"mark " + std::string(name_of(state)) + "\""),
              style_of(state).mark == CellMark::none ? 0U : 1U);
  }
}

TEST(PagePicture, SquaresOfOneStateInARowAreOneLine) {
  const Cells cells = make_cells({}, {{0}, {96}}, 96);
  EXPECT_EQ(count_of(print_page_picture(cells, 96, "wide"), "h958.5"), 1U);
  EXPECT_EQ(count_of(print_page_picture(cells, 48, "narrow"), "h478.5"), 2U);
}

TEST(PagePicture, AFewSectorsAreASignAndNoSquare) {
  const std::vector<Extent> table{Extent(State::lost, {{64}, {1}})};
  const std::string out = print_page_picture(make_cells(table, {{0}, {512}}, 4), 96, "wide");
  EXPECT_EQ(count_of(out, "\"cell lost\""), 1U);
  EXPECT_EQ(count_of(out, "\"mark lost\""), 0U);
  EXPECT_EQ(count_of(out, "stroke=\"#d65e00\" stroke-width=\"8.5\""), 0U);
}

TEST(PagePicture, AnySizeIsDrawn) {
  for (const std::uint64_t size : {1ULL, 97ULL, 1ULL << 40U}) {
    const std::string out = print_page_picture(make_picture_cells({}, {size}), 48, "narrow");
    EXPECT_TRUE(out.ends_with("</svg>")) << size;
    EXPECT_EQ(out.find("nan"), std::string::npos) << size;
    EXPECT_EQ(count_of(out, "cell good"), 1U) << size;
  }
}

TEST(PagePicture, TheWorstTableOfSquaresStaysSmall) {
  constexpr std::size_t kCells = kPictureColumns * kPictureRows;
  Cells cells{{{0}, {kCells * 2048}}, {2048}, {}};
  for (std::size_t i = 0; i < kCells; ++i) {
    cells.counts.push_back(i % 2 == 0 ? StateCounts{0, 0, 0, 2048, 0}
                                      : StateCounts{2047, 0, 0, 0, 1});
  }
  EXPECT_LT(print_page_picture(cells, 96, "wide").size(), 300'000U);
}

TEST(PagePicture, TheSwatchIsTheSquareOfTheMap) {
  EXPECT_EQ(count_of(print_page_swatch(State::lost), "cell lost"), 1U);
  EXPECT_EQ(count_of(print_page_swatch(State::lost), "mark lost"), 1U);
}

}  // namespace
}  // namespace dmremap::view
