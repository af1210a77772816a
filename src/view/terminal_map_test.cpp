// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/terminal_map.hpp"

#include <sstream>
#include <vector>

#include <gtest/gtest.h>

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

TEST(TerminalMap, EachStateHasItsCharacterAndItsPlace) {
  EXPECT_EQ(
      print_terminal_map(table(), {512}, {.columns = 21, .rows = 2}),
      "  0  "
      "\u00b7\u00b7\u00b7\u00b7\u25aa\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7?"
      "\u00b7\u00b7\u00b7\n"
      "256  "
      "\u00b7\u00b7X\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7\u00b7#\n"
      "\none character is 8 KiB, the worst of its sectors shown\n"
      "  \u00b7 good      501 sectors  250.5 KiB\n"
      "  \u25aa remapped    8 sectors  4 KiB\n"
      "  ? suspect     1 sectors  512 B\n"
      "  X lost        1 sectors  512 B\n"
      "  # gone        1 sectors  512 B\n");
}

TEST(TerminalMap, EveryLineFitsAndTheMapHasNoMoreRowsThanAsked) {
  for (const std::uint64_t size : {8ULL, 32768ULL, 7'814'037'168ULL}) {
    for (const unsigned columns : {0U, 20U, 72U, 80U, 211U}) {
      std::istringstream lines(print_terminal_map({}, {size}, {.columns = columns, .rows = 10}));
      unsigned rows = 0;
      for (std::string line; std::getline(lines, line) && !line.empty(); ++rows) {
        EXPECT_LE(length_of(line), std::max(columns, 20U)) << line;
      }
      EXPECT_GE(rows, 1U);
      EXPECT_LE(rows, 10U);
    }
  }
}

TEST(TerminalMap, ColorAddsNothingButEscapes) {
  const std::string plain = print_terminal_map(table(), {512}, {.columns = 40, .rows = 4});
  const std::string colored =
      print_terminal_map(table(), {512}, {.columns = 40, .rows = 4, .color = true});
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

TEST(TerminalMap, SizesAreShort) {
  EXPECT_EQ(size_text({1}), "512 B");
  EXPECT_EQ(size_text({3}), "1.5 KiB");
  EXPECT_EQ(size_text({std::uint64_t{1} << 33U}), "4 TiB");
}

}  // namespace
}  // namespace dmremap::view
