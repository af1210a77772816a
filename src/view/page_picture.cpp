// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/page_picture.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "view/state_style.hpp"

namespace dmremap::view {

namespace {

using format::State;

constexpr double kDigitWidth = 10;  // of the numbers at the left
constexpr double kAddressSize = 15;
constexpr double kAddressGap = 8;
constexpr std::uint64_t kRowsAddressed = 4;

std::string hex(const Color& color) {
  const auto byte = [](double share) { return static_cast<unsigned>(std::lround(share * 255)); };
  return fmt::format("#{:02x}{:02x}{:02x}", byte(color.red), byte(color.green), byte(color.blue));
}

// Squares of one state, and their marks, as data of two paths.
struct StatePaths {
  std::string cells;
  std::string marks;

  // `count` squares side by side. They are the dashes of one line, which keeps a page with many
  // of them small.
  void add_run(double x, double y, std::uint64_t count) {
    const double length = static_cast<double>(count) * kCellStep - (kCellStep - kCellSide);
    cells += fmt::format("M{:g} {:g}h{:g}", x, y + kCellSide / 2, length);
  }

  void add_mark(CellMark mark, double x, double y) {
    const double in = kCellSide * kMarkInset;
    const double length = kCellSide - 2 * in;
    const double middle = kCellSide / 2;
    switch (mark) {
      case CellMark::none:
        break;
      case CellMark::cross:
        marks += fmt::format("M{:g} {:g}l{:g} {:g}m0 {:g}l{:g} {:g}", x + in, y + in, length,
                             length, -length, -length, length);
        break;
      case CellMark::dash:
        marks += fmt::format("M{:g} {:g}h{:g}", x + in, y + middle, length);
        break;
      case CellMark::bar:
        marks += fmt::format("M{:g} {:g}v{:g}", x + middle, y + in, length);
        break;
    }
  }

  [[nodiscard]] std::string print(State state) const {
    const StateStyle& style = style_of(state);
    std::string out;
    if (!cells.empty()) {
      out += fmt::format(
          "<path class=\"cell {}\" stroke=\"{}\" stroke-width=\"{:g}\" "
          "stroke-dasharray=\"{:g} {:g}\" d=\"{}\"/>",
          name_of(state), hex(style.fill), kCellSide, kCellSide, kCellStep - kCellSide, cells);
    }
    if (!marks.empty()) {
      const double width = style.mark == CellMark::cross ? kCrossWidth : kBarWidth;
      out += fmt::format("<path class=\"mark {}\" stroke=\"{}\" stroke-width=\"{:g}\" d=\"{}\"/>",
                         name_of(state), style.dark_mark ? "#21262e" : "#ffffff", kCellSide * width,
                         marks);
    }
    return out;
  }
};

constexpr const char* kHead =
    "<svg class=\"{}\" viewBox=\"0 0 {:g} {:g}\" fill=\"none\" aria-hidden=\"true\">";

}  // namespace

Cells make_picture_cells(std::span<const format::Extent> extents, SectorCount size) {
  return make_cells(extents, size, kPictureColumns * kPictureRows);
}

std::string print_page_picture(const Cells& cells, std::uint64_t columns, const std::string& kind) {
  const std::uint64_t count = cells.states.size();
  const std::uint64_t rows = (count + columns - 1) / columns;
  const std::string widest = std::to_string((rows - 1) * columns * cells.per_cell.value);
  const double left = static_cast<double>(widest.size()) * kDigitWidth + kAddressGap;
  std::array<StatePaths, kStatesOfMain.size()> paths;
  std::string addresses;
  for (std::uint64_t row = 0; row < rows; ++row) {
    const double y = static_cast<double>(row) * kCellStep;
    const std::uint64_t end = std::min(count, (row + 1) * columns);
    for (std::uint64_t at = row * columns; at < end;) {
      const State state = cells.states[at];
      const std::uint64_t first = at;
      while (at < end && cells.states[at] == state) ++at;
      StatePaths& path = paths[severity_of(state)];
      const auto x_of = [&](std::uint64_t cell) {
        return left + static_cast<double>(cell - row * columns) * kCellStep;
      };
      path.add_run(x_of(first), y, at - first);
      for (std::uint64_t i = first; i < at; ++i) path.add_mark(style_of(state).mark, x_of(i), y);
    }
    if (row % kRowsAddressed == 0) {
      addresses += fmt::format(
          "<text class=\"address\" text-anchor=\"end\" font-size=\"{:g}\" x=\"{:g}\" "
          "y=\"{:g}\">{}</text>",
          kAddressSize, left - kAddressGap, y + kAddressSize * 0.75,
          row * columns * cells.per_cell.value);
    }
  }
  const double width = left + static_cast<double>(columns) * kCellStep;
  // The last address may stand below the last row.
  const double height = static_cast<double>(rows) * kCellStep + 4;
  std::string out = fmt::format(fmt::runtime(kHead), kind, width, height);
  for (const State state : kStatesOfMain) out += paths[severity_of(state)].print(state);
  return out + addresses + "</svg>";
}

std::string print_page_swatch(State state) {
  StatePaths paths;
  paths.add_run(0, 0, 1);
  paths.add_mark(style_of(state).mark, 0, 0);
  return fmt::format(fmt::runtime(kHead), "swatch", kCellSide, kCellSide) + paths.print(state) +
         "</svg>";
}

}  // namespace dmremap::view
