// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/chart.hpp"

#include <regex>

#include <gtest/gtest.h>

namespace dmremap::report {
namespace {

constexpr Period kYear{365, 365};

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

// The boxes of a class: x, y, width, height.
std::vector<std::array<double, 4>> boxes_of(const std::string& svg, const std::string& kind) {
  const std::regex form("<rect class=\"" + kind +
                        "\" x=\"([^\"]*)\" y=\"([^\"]*)\" width=\"([^\"]*)\" height=\"([^\"]*)\"");
  std::vector<std::array<double, 4>> out;
  for (std::sregex_iterator at(svg.begin(), svg.end(), form), end; at != end; ++at) {
    out.push_back(
        {std::stod((*at)[1]), std::stod((*at)[2]), std::stod((*at)[3]), std::stod((*at)[4])});
  }
  return out;
}

// Every number of a drawing is one, and within it.
void expect_sound(const std::string& svg) {
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("e+"), std::string::npos) << svg;
  for (const auto& [x, y, width, height] : boxes_of(svg, "[a-z]*")) {
    EXPECT_GE(x, 0) << svg;
    EXPECT_GE(y, 0) << svg;
    EXPECT_LE(x + width, 480) << svg;
    EXPECT_LE(y + height, 200) << svg;
  }
}

TEST(DrawCounts, EachDayHasABarInItsPlace) {
  const auto bars = boxes_of(draw_counts({{364, 1, 5, ""}, {0, 1, 10, ""}}, kYear, "lost"), "bar");
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_LT(bars[0][0], 60);
  EXPECT_GT(bars[1][0], 320);
  EXPECT_NEAR(bars[0][3] * 2, bars[1][3], 0.2);
  EXPECT_DOUBLE_EQ(bars[0][1] + bars[0][3], bars[1][1] + bars[1][3]);
}

TEST(DrawCounts, MergedDaysAreWideAndHaveTheirShare) {
  const auto bars =
      boxes_of(draw_counts({{100, 50, 500, ""}, {0, 1, 10, ""}}, kYear, "lost"), "bar");
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_GT(bars[0][2], 10 * bars[1][2]);
  EXPECT_NEAR(bars[0][3], bars[1][3], 0.2);
}

TEST(DrawCounts, OneBesideAMillionIsSeen) {
  const auto bars =
      boxes_of(draw_counts({{9, 1, 1, ""}, {0, 1, 1'000'000, ""}}, kYear, "lost"), "bar");
  EXPECT_GE(bars.at(0)[3], 2);
}

TEST(DrawCounts, HugeNumbersAndNone) {
  expect_sound(draw_counts({}, {30, 1}, "lost"));
  expect_sound(draw_counts({{0, UINT64_MAX, UINT64_MAX, ""}}, kYear, "lost"));
  expect_sound(draw_counts({{364, 1, UINT64_MAX, ""}, {363, UINT64_MAX, 1, ""}}, kYear, "lost"));
}

TEST(DrawCounts, WhatNobodySawIsShaded) {
  EXPECT_EQ(boxes_of(draw_counts({}, kYear, "lost"), "unobserved").size(), 0U);
  const auto shade = boxes_of(draw_counts({}, {30, 10}, "lost"), "unobserved");
  ASSERT_EQ(shade.size(), 1U);
  EXPECT_NEAR(shade[0][2] / (340 - 50 - 14), 20.0 / 30, 0.02);
}

TEST(DrawCounts, SaysInWordsWhatItShows) {
  const std::string svg = draw_counts({}, kYear, "lost: \"5\"");
  EXPECT_EQ(count_of(svg, "role=\"img\" aria-label=\"lost: &quot;5&quot;\""), 1U);
}

TEST(DrawRoom, TheForecastReachesTheTopWhereTheRoomIsFull) {
  const std::string svg = draw_room({{10, 0}, {0, 50}}, kYear, 100, ForecastDays{73, 146}, "spare");
  // Today is half way; 73 and 146 days are a fifth and two fifths of what is left.
  const std::regex wedge(
      "class=\"forecast\" d=\"M([0-9.]+) [0-9.]+L([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)Z");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(svg, found, wedge)) << svg;
  const double today = std::stod(found[1]);
  const double right = 480 - 14;
  EXPECT_NEAR((std::stod(found[2]) - today) / (right - today), 0.2, 0.01);
  EXPECT_NEAR((std::stod(found[4]) - today) / (right - today), 0.4, 0.01);
  EXPECT_EQ(found[3], found[5]);
  EXPECT_EQ(std::stod(found[3]), 12);
}

TEST(DrawRoom, WithoutAnEndTheForecastIsOpen) {
  const std::string open = draw_room({{0, 50}}, kYear, 100, ForecastDays{100, {}}, "spare");
  EXPECT_EQ(count_of(open, "class=\"forecast\""), 1U);
  EXPECT_EQ(count_of(open, "H466.0L466.0"), 1U) << open;
  expect_sound(open);
}

TEST(DrawRoom, WithoutARoomOrWithNoneLeftThereIsNoForecast) {
  for (const std::optional<double> room :
       {std::optional<double>(), std::optional(50.0), std::optional(0.0)}) {
    const std::string svg = draw_room({{0, 50}}, kYear, room, ForecastDays{1, 2}, "spare");
    EXPECT_EQ(count_of(svg, "class=\"forecast\""), 0U);
    expect_sound(svg);
  }
}

TEST(DrawRoom, HugeNumbersOnePointAndNone) {
  expect_sound(draw_room({}, {30, 1}, {}, {}, "spare"));
  expect_sound(draw_room({{0, UINT64_MAX}}, {30, 1}, 1, ForecastDays{0, 0}, "spare"));
  expect_sound(draw_room({{364, 0}, {0, 1}}, kYear, 1e19, ForecastDays{1e300, 1e308}, "spare"));
  expect_sound(draw_room({{0, 1}}, kYear, 10, ForecastDays{-5, -7}, "spare"));
}

TEST(DrawLatency, BothLinesAndAnyNumbers) {
  const std::string svg = draw_latency({{9, 100}, {0, 120}}, {{9, 900}}, kYear, "reads");
  EXPECT_EQ(count_of(svg, "<path class=\"median\""), 1U);
  EXPECT_EQ(count_of(svg, "<path class=\"p99\""), 1U);
  expect_sound(svg);
  expect_sound(draw_latency({{0, 0}}, {}, {30, 1}, "reads"));
  expect_sound(draw_latency({{0, 0}}, {{0, UINT64_MAX}}, kYear, "reads"));
}

using Parts = std::vector<control::LatencyPartReport>;
// A GiB each.
control::LatencyPartReport part(std::uint64_t number, std::optional<std::uint64_t> typical_us,
                                std::optional<std::uint64_t> slowest_us) {
  constexpr std::uint64_t kSectors = 1U << 21U;
  return {{number * kSectors}, {kSectors}, typical_us, slowest_us};
}

TEST(DrawDiskLatency, APointAndAPieceOfTheLineForEachPart) {
  const Parts parts{part(0, 100, 100), part(1, 1'000, 10'000), part(2, 100, 1'000),
                    part(3, 100, 100)};
  const std::string svg = draw_disk_latency(parts, "across: \"4\"");
  expect_sound(svg);
  EXPECT_EQ(count_of(svg, "role=\"img\" aria-label=\"across: &quot;4&quot;\""), 1U);
  EXPECT_EQ(boxes_of(svg, "unobserved").size(), 0U);
  // Four parts of 104 pixels from 50 on; two decades of 81 pixels above 174.
  EXPECT_EQ(count_of(svg,
                     "<path class=\"typical\" d=\"M50.0 174.0H154.0V93.0H258.0V174.0H362.0"
                     "V174.0H466.0\"/>"),
            1U)
      << svg;
  EXPECT_EQ(count_of(svg, "<circle class=\"slowest\" cx=\"206.0\" cy=\"12.0\""), 1U) << svg;
  EXPECT_EQ(count_of(svg, "<circle class=\"slowest\" cx=\"310.0\" cy=\"93.0\""), 1U) << svg;
  EXPECT_EQ(count_of(svg, "<circle class=\"slowest\""), 4U);
}

TEST(DrawDiskLatency, WhatIsNotReadYetIsShadedAndHasNoLine) {
  const Parts parts{part(0, 100, 200), part(1, {}, {}), part(2, {}, {}), part(3, 100, 200)};
  const std::string svg = draw_disk_latency(parts, "across");
  const auto shades = boxes_of(svg, "unobserved");
  ASSERT_EQ(shades.size(), 1U) << "they are beside each other";
  EXPECT_NEAR(shades[0][0], 154, 0.1);
  EXPECT_NEAR(shades[0][2], 208, 0.1);
  EXPECT_EQ(count_of(svg, ">not read yet<"), 1U);
  EXPECT_EQ(count_of(svg, "H154.0M362.0"), 1U) << svg;
  EXPECT_EQ(count_of(svg, "<circle class=\"slowest\""), 2U);
}

TEST(DrawDiskLatency, AnyNumbers) {
  expect_sound(draw_disk_latency({part(0, 0, 0)}, "one"));
  expect_sound(draw_disk_latency({part(0, UINT64_MAX, 0), part(1, 0, UINT64_MAX)}, "huge"));
  expect_sound(draw_disk_latency({{{UINT64_MAX}, {UINT64_MAX}, 5, 5}}, "far"));
  expect_sound(draw_disk_latency({{{0}, {0}, 5, std::nullopt}}, "nothing"));
  expect_sound(draw_disk_latency({part(3, 5, 7), part(1, {}, {}), part(2, 5, 7)}, "unsorted"));
}

}  // namespace
}  // namespace dmremap::report
