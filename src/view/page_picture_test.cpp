// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/page_picture.hpp"

#include <gtest/gtest.h>

#include "view/picture.hpp"
#include "view/state_style.hpp"

// fontconfig keeps what it has read of its configuration to the end of the process, whatever is
// drawn; no frame of ours is in its allocations. Only LeakSanitizer asks for this.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libfontconfig\n";
}
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

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
  const Cells cells{{1}, std::vector<State>(96, State::good)};
  EXPECT_EQ(count_of(print_page_picture(cells, 96, "wide"), "h958.5"), 1U);
  EXPECT_EQ(count_of(print_page_picture(cells, 48, "narrow"), "h478.5"), 2U);
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
  Cells cells{{2048}, {}};
  for (std::size_t i = 0; i < kPictureColumns * kPictureRows; ++i) {
    cells.states.push_back(i % 2 == 0 ? State::lost : State::gone);
  }
  EXPECT_LT(print_page_picture(cells, 96, "wide").size(), 300'000U);
}

TEST(PagePicture, TheSwatchIsTheSquareOfTheMap) {
  EXPECT_EQ(count_of(print_page_swatch(State::lost), "cell lost"), 1U);
  EXPECT_EQ(count_of(print_page_swatch(State::lost), "mark lost"), 1U);
}

// Only its height tells that an SVG of cairo has one line more: its texts are glyphs.
TEST(Picture, TheVerdictHasALineOfItsOwn) {
  const auto height = [](const std::string& verdict) {
    const auto svg =
        draw_picture(PictureKind::svg, {"backup", "uuid", "healthy", "now", verdict}, {}, {32768});
    const auto at = svg->find(" height=\"");
    return std::stod(svg->substr(at + 9));
  };
  EXPECT_EQ(height("verdict: good"), height("") + 22);
  EXPECT_EQ(height(std::string(10'000, 'w')), height("") + 22);
}

// Drawn to its end even if no character has room, or if characters are of several bytes.
TEST(Picture, ALongVerdictIsCut) {
  std::string long_one;
  for (int i = 0; i < 1000; ++i) long_one += "\u00e4";
  EXPECT_TRUE(draw_picture(PictureKind::png, {"b", "u", long_one, "now", long_one}, {}, {8}));
}

}  // namespace
}  // namespace dmremap::view
