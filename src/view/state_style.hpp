// SPDX-License-Identifier: GPL-2.0-or-later
// How the states of main's sectors look, in the terminal, in pictures and on the page of a report:
// one legend for all of them.
//
// Colours of pictures are those of Okabe and Ito, which people with any colour vision can tell
// apart; bad states have a mark of their own besides, for print without colour. Colours of the
// terminal are its own, so that they suit its background; bold marks lost sectors for people who
// cannot tell red, and a cell that is lost for the most part is in reverse.
#pragma once

#include <array>
#include <cstdint>

#include "view/cells.hpp"

namespace dmremap::view {

struct Color {
  double red;
  double green;
  double blue;
};

// The mark inside a square: nothing, an upright bar, a cross or a dash.
enum class CellMark : std::uint8_t { none, bar, cross, dash };

// What stands for a cell in the terminal: one character for a cell of which less than half is in
// the state, and one for half or more.
struct CellCharacters {
  const char* few;
  const char* most;
};

struct StateStyle {
  Color fill;
  CellMark mark;
  bool dark_mark;  // drawn in ink; else in white
  CellCharacters characters;
  CellCharacters ascii;  // where the locale has no other characters
  const char* escape;    // the number of its terminal colour
  const char* meaning;   // for the legend
};

// In the order of kStatesOfMain: grey, blue, yellow, vermilion, black.
inline constexpr std::array<StateStyle, kStatesOfMain.size()> kStateStyles{
    {{{0.87, 0.89, 0.91},
      CellMark::none,
      false,
      {"\u00b7", "\u00b7"},
      {".", "."},
      "2",
      "read from and written to the disk itself"},
     {{0.0, 0.45, 0.70},
      CellMark::none,
      false,
      {"\u25aa", "\u25a0"},
      {"o", "O"},
      "36",
      "on the spare"},
     {{0.94, 0.78, 0.0},
      CellMark::bar,
      true,
      {"?", "?"},
      {"?", "?"},
      "33",
      "read, but far slower than its neighbours, or doubted by a list"},
     {{0.84, 0.37, 0.0},
      CellMark::cross,
      false,
      {"x", "X"},
      {"x", "X"},
      "1;31",
      "cannot be read; asked again from time to time"},
     {{0, 0, 0},
      CellMark::dash,
      false,
      {"+", "#"},
      {"+", "#"},
      "1;35",
      "a newer version is unreadable; never asked"}}};

// The line that says what was lost, in pictures and by its number in the terminal.
inline constexpr Color kAlarm{0.72, 0.06, 0.09};
inline constexpr const char* kAlarmEscape = "1;31";

[[nodiscard]] inline const StateStyle& style_of(format::State state) {
  return kStateStyles[severity_of(state)];
}

// The squares of a picture. A page that is too narrow for them has the same squares in shorter
// rows.
inline constexpr std::uint64_t kPictureColumns = 96;
inline constexpr std::uint64_t kPictureRows = 48;
inline constexpr double kCellStep = 10;  // from square to square
inline constexpr double kCellSide = 8.5;
// The mark's distance from the sides of its square, and the widths of its lines, as shares of them.
inline constexpr double kMarkInset = 0.24;
inline constexpr double kCrossWidth = 0.16;
inline constexpr double kBarWidth = 0.2;

}  // namespace dmremap::view
