// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/terminal_map.hpp"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "map/example_maps.hpp"

namespace dmremap::view {
namespace {

using format::Extent;
using format::State;

std::vector<Extent> table() {
  return {Extent(State::remapped, {{64}, {8}}, {kFirstSpare, {3072}}),
          Extent(State::suspect, {{200}, {1}}), Extent(State::lost, {{300}, {1}}),
          Extent(State::gone, {{511}, {1}})};
}

// Characters of a line, not bytes.
std::size_t length_of(const std::string& line) {
  std::size_t out = 0;
  for (const char c : line) out += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return out;
}

MapFacts facts_of(std::span<const Extent> extents, std::uint64_t size) {
  return {.name = "backup",
          .state = "degraded",
          .extents = extents,
          .size = {size},
          .shown = {{0}, {size}}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

// The lines between the first blank line and the second.
std::vector<std::string> map_in(const std::string& text) {
  const auto lines = lines_of(text);
  const auto first = std::ranges::find(lines, "") + 1;
  return {first, std::find(first, lines.end(), "")};
}

TEST(TerminalMap, EachStateHasItsCharacterAndItsPlace) {
  const auto table_of_all = table();
  EXPECT_EQ(
      print_terminal_map(facts_of(table_of_all, 512), {.columns = 21, .rows = 2}),
      "backup: degraded, 256 KiB\n"
      "2 sectors (1 KiB) cannot be read: 1 lost, 1 gone\n"
      "disk: 256 KiB\n"
      "\n"
      "  0  "
      "\u00b7\u00b7\u00b7\u00b7\u25a0\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7?"
      "\u00b7\u00b7\u00b7\n"
      "256  "
      "\u00b7\u00b7x\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7+\n"
      "\none character is 8 KiB, its worst state; the second sign: from half of it on\n"
      "  \u00b7   good      501 sectors  250.5 KiB\n"
      "  \u25aa \u25a0 remapped    8 sectors  4 KiB\n"
      "  ?   suspect     1 sectors  512 B\n"
      "  x X lost        1 sectors  512 B\n"
      "  + # gone        1 sectors  512 B\n"
      "\n"
      "  lost: 300+1 (512 B at 150 KiB)\n"
      "  gone: 511+1 (512 B at 255.5 KiB)\n");
}

TEST(TerminalMap, WithoutUtf8ItIsAscii) {
  const auto table_of_all = table();
  MapFacts facts = facts_of(table_of_all, 512);
  facts.disk.file_system = "ext4 \"B\u00fccher\"";
  const std::string out = print_terminal_map(facts, {.ascii = true});
  EXPECT_TRUE(std::ranges::all_of(out, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }))
      << out;
  EXPECT_NE(out.find("ext4 \"B?cher\""), std::string::npos);
  EXPECT_NE(out.find("  o O remapped"), std::string::npos);
}

TEST(TerminalMap, FewSectorsAndMostOfThemAreTwoCharacters) {
  const std::vector<Extent> extents{Extent(State::lost, {{0}, {7}}),
                                    Extent(State::lost, {{16}, {8}}),
                                    Extent(State::gone, {{32}, {16}})};
  const auto map = map_in(print_terminal_map(facts_of(extents, 256), {.columns = 24, .rows = 1}));
  ASSERT_EQ(map.size(), 1U);
  EXPECT_TRUE(map[0].starts_with("  0  xX#\u00b7")) << map[0];
}

TEST(TerminalMap, SizesStandBesideSectors) {
  const auto map = map_in(print_terminal_map(facts_of({}, std::uint64_t{1} << 34U), {}));
  ASSERT_GT(map.size(), 2U);
  EXPECT_TRUE(map[0].starts_with("          0     0 GiB  ")) << map[0];
  EXPECT_TRUE(map[1].starts_with(" 1207959552   576 GiB  ")) << map[1];
}

TEST(TerminalMap, APartitionShowsWhereItBegins) {
  const std::vector<Extent> extents{Extent(State::lost, {{128}, {1}})};
  MapFacts facts = facts_of(extents, 256);
  facts.disk.partitions = {{1, {{64}, {64}}, "vfat"}, {2, {{128}, {128}}, ""}};
  const std::string out = print_terminal_map(facts, {.columns = 24, .rows = 1});
  EXPECT_TRUE(map_in(out)[0].starts_with("  0  \u00b7\u00b7\u00b7\u00b7|\u00b7\u00b7\u00b7x\u00b7"))
      << "what is wrong is seen before a border: " << out;
  EXPECT_NE(out.find("\n  | partition 1: 64+64 (32 KiB at 32 KiB), vfat\n"), std::string::npos);
}

TEST(TerminalMap, ARegionBeginsAtItsFirstSector) {
  const auto table_of_all = table();
  MapFacts facts = facts_of(table_of_all, 512);
  facts.shown = {{296}, {16}};
  const std::string out = print_terminal_map(facts, {.columns = 21, .rows = 2});
  EXPECT_EQ(map_in(out),
            std::vector<std::string>{"296  \u00b7\u00b7\u00b7\u00b7X\u00b7\u00b7\u00b7\u00b7\u00b7"
                                     "\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7"});
  EXPECT_NE(out.find("\nshown: sectors 296+16 (8 KiB at 148 KiB) of 256 KiB\n"), std::string::npos);
  EXPECT_NE(out.find("lost        1 sectors"), std::string::npos);
  EXPECT_NE(out.find("gone        0 sectors"), std::string::npos) << "lies outside";
}

TEST(TerminalMap, EveryLineFitsAndTheMapHasNoMoreRowsThanAsked) {
  for (const std::uint64_t size : {8ULL, 32768ULL, 7'814'037'168ULL, 1ULL << 40U}) {
    for (const unsigned columns : {0U, 20U, 59U, 60U, 72U, 80U, 211U}) {
      const auto map =
          map_in(print_terminal_map(facts_of({}, size), {.columns = columns, .rows = 10}));
      for (const std::string& line : map)
        EXPECT_LE(length_of(line), std::max(columns, 20U)) << line;
      EXPECT_GE(map.size(), 1U);
      EXPECT_LE(map.size(), 10U);
    }
  }
}

TEST(TerminalMap, AWindowHoldsAllOfIt) {
  for (const std::string& name : examples::names()) {
    const auto example = examples::by_name(name);
    const MapFacts facts = example.drawn();
    for (const auto& [columns, lines] : {std::pair{80U, 23U}, {200U, 49U}, {211U, 70U}}) {
      if (name == "hostile" && lines < 49) continue;  // its header alone is higher
      const auto out =
          lines_of(print_terminal_map(facts, fitted(facts, lines, {.columns = columns})));
      std::size_t taken = 0;
      for (const std::string& line : out) {
        taken += std::max<std::size_t>((length_of(line) + columns - 1) / columns, 1);
      }
      EXPECT_LE(taken, lines) << name << " in " << columns;
      EXPECT_GE(taken, lines * 2 / 3) << name << " in " << columns << " leaves too much empty";
    }
  }
}

TEST(TerminalMap, ColorAddsNothingButEscapes) {
  const auto table_of_all = table();
  const MapFacts facts = facts_of(table_of_all, 512);
  const std::string plain = print_terminal_map(facts, {.columns = 40, .rows = 4});
  const std::string colored = print_terminal_map(facts, {.columns = 40, .rows = 4, .color = true});
  std::string stripped;
  for (std::size_t i = 0; i < colored.size(); ++i) {
    if (colored[i] == '\x1b')
      i = colored.find('m', i);
    else
      stripped += colored[i];
  }
  EXPECT_NE(colored, plain);
  EXPECT_EQ(stripped, plain);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
}

TEST(TerminalMap, OnlyALossIsRed) {
  const auto table_of_all = table();
  const TerminalForm form{.color = true};
  EXPECT_NE(print_terminal_map(facts_of(table_of_all, 512), form)
                .find("\x1b[1;31m2 sectors (1 KiB) cannot be read: 1 lost, 1 gone\x1b[0m\n"),
            std::string::npos);
  EXPECT_NE(print_terminal_map(facts_of({}, 512), form).find("\nnothing is lost\n"),
            std::string::npos);
}

}  // namespace
}  // namespace dmremap::view
