// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/picture.hpp"

#include <string>

#include <gtest/gtest.h>

#include "map/example_maps.hpp"
#include "view/cells.hpp"
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

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

std::string svg_of(const std::string& name) {
  const auto example = examples::by_name(name);
  const auto svg = draw_picture(PictureKind::svg, example.drawn());
  return svg ? *svg : std::string();
}

double height_of(const std::string& svg) {
  return std::stod(svg.substr(svg.find(" height=\"") + 9));
}

TEST(Picture, ItsTextsAreTexts) {
  const std::string svg = svg_of("every-state");
  for (const char* const words :
       {">backup</text>", "cannot be read: ", "8 sectors on the spare do not read now</text>",
        "disk: /dev/sdb, WDC WD20EARX-00PASB0, serial WD-WCAZAJ827116, 1.8 TiB</text>",
        "% used (53 MiB of 60 MiB)</text>", "verdict: replace-soon (score 31 of 100)",
        "partition 2: 1050624+1200000000 (572.2 GiB at 513 MiB), ext4 &quot;root&quot;</text>",
        "lost: 431204408+8 (4 KiB at 205.6 GiB)</text>"}) {
    EXPECT_NE(svg.find(words), std::string::npos) << words;
  }
}

TEST(Picture, EachSquareHasATitle) {
  const std::string svg = svg_of("every-state");
  const auto example = examples::by_name("every-state");
  const MapFacts facts = example.drawn();
  const Cells cells = make_cells(facts.extents, facts.shown, kPictureColumns * kPictureRows);
  // One more is of the picture, and one of each partition.
  EXPECT_EQ(count_of(svg, "<title>"), cells.size() + 1 + facts.disk.partitions.size());
  for (const char* const words : {"<g class=\"lost\"><title>", " lost</title>", ": good</title>",
                                  "<g class=\"partition\"><title>partition 3: "}) {
    EXPECT_NE(svg.find(words), std::string::npos) << words;
  }
  EXPECT_EQ(count_of(svg, "<g "), count_of(svg, "</g>"));
}

TEST(Picture, OnlyALossIsRed) {
  const std::string red = "fill=\"#b80f17\" font-weight=\"bold\">";
  EXPECT_EQ(count_of(svg_of("every-state"), red), 2U) << "and what does not read now";
  EXPECT_EQ(count_of(svg_of("healthy"), red), 0U);
}

// The widest square of 52 MiB of 8 TiB is a sign: hardly any of the picture is coloured.
TEST(Picture, FewSectorsPaintLittle) {
  const std::string svg = svg_of("scattered");
  const std::string lost = "fill=\"#d65e00\"";
  EXPECT_EQ(count_of(svg, lost), 1U) << "only the full square of the legend";
  EXPECT_GT(count_of(svg, "stroke=\"#d65e00\""), 1000U);
}

TEST(Picture, ARegionHasItsOwnSquares) {
  const std::string svg = svg_of("region");
  EXPECT_NE(svg.find("shown: sectors 1030000000+900000000"), std::string::npos);
  EXPECT_NE(svg.find(">1030000000</text>"), std::string::npos) << "the first address";
  EXPECT_EQ(svg.find("lost: 431204408"), std::string::npos) << "lies before it";
}

TEST(Picture, LongListsAreCut) {
  EXPECT_NE(svg_of("scattered").find(">and 3867 more</text>"), std::string::npos);
  EXPECT_LT(height_of(svg_of("scattered")), 1100);
}

TEST(Picture, AVerdictHasALineOfItsOwn) {
  auto example = examples::by_name("healthy");
  const double with = height_of(*draw_picture(PictureKind::svg, example.drawn()));
  example.facts.verdict.clear();
  EXPECT_EQ(height_of(*draw_picture(PictureKind::svg, example.drawn())), with - 22);
}

// Drawn to its end even if texts are too long, have characters of several bytes, or are no UTF-8.
TEST(Picture, AnyTextIsDrawn) {
  const std::string svg = svg_of("hostile");
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  for (const char c : svg) {
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
  }
  auto example = examples::by_name("hostile");
  EXPECT_TRUE(draw_picture(PictureKind::png, example.drawn()));
}

TEST(Picture, AnySizeIsDrawn) {
  auto example = examples::by_name("healthy");
  for (const std::uint64_t size : {1ULL, 97ULL, 1ULL << 40U}) {
    example.facts.size = {size};
    example.facts.shown = {{0}, {size}};
    const auto svg = draw_picture(PictureKind::svg, example.drawn());
    ASSERT_TRUE(svg);
    EXPECT_EQ(svg->find("nan"), std::string::npos) << size;
  }
}

}  // namespace
}  // namespace dmremap::view
