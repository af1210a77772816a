// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/page_picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "view/canvas.hpp"
#include "view/cell_shape.hpp"
#include "view/disk_caption.hpp"
#include "view/state_style.hpp"

namespace dmremap::view {

namespace {

using format::State;

constexpr double kDigitWidth = 10;  // of the numbers at the left
constexpr double kAddressSize = 15;
constexpr double kAddressGap = 8;
constexpr std::size_t kLeastAddress = 9;  // characters: "65536 GiB"
constexpr std::uint64_t kRowsAddressed = 4;

// A number in SVG, as short as hundredths of a point allow.
std::string number(double value) {
  return fmt::format("{:g}", std::round(value * 100) / 100);
}

// What is drawn with one stroke, in the order of drawing: a state covers those that are better, and
// within a state the ground around its signs comes first.
enum class Stroke : std::uint8_t { ground, square, mark, sign };

// All squares of a picture as one path for each kind of stroke, which keeps a page with many of
// them small. A square is a line as wide as it is long, from its left to its right.
class PagePaths {
 public:
  // The ground of squares side by side: the dashes of one line.
  void add_ground(double x, double y, std::uint64_t count) {
    const double length = static_cast<double>(count) * kCellStep - (kCellStep - kCellSide);
    ground_ += fmt::format("M{} {}h{}", number(x), number(y + kCellSide / 2), number(length));
  }

  void add_cell(const StateCounts& counts, double x, double y) {
    const CellShape shape = shape_of(counts);
    for (std::size_t i = 0; i < shape.count; ++i) {
      const CellLayer& layer = shape.layers[i];
      const CellMark mark = style_of(layer.state).mark;
      const double side = kCellSide * layer.steps / kShapeSteps;
      const bool innermost = i + 1 == shape.count;
      if (innermost && shape.sign) {
        if (shape.patch) add_square(layer.state, Stroke::ground, x, y, kPatchSteps);
        add_mark(layer.state, Stroke::sign, mark, x, y, kSignSide);
        continue;
      }
      add_square(layer.state, Stroke::square, x, y, layer.steps);
      if (innermost) add_mark(layer.state, Stroke::mark, mark, x, y, side);
    }
  }

  [[nodiscard]] std::string print() const {
    std::string out = print_path(
        "cell", State::good, style_of(State::good).fill, kCellSide, ground_,
        fmt::format(" stroke-dasharray=\"{:g} {:g}\"", kCellSide, kCellStep - kCellSide));
    for (const auto& [key, data] : paths_) {
      const auto& [severity, stroke, width] = key;
      const State state = kStatesOfMain[severity];
      const StateStyle& style = kStateStyles[severity];
      const double points = width / 100.0;
      if (stroke == Stroke::ground) {
        out += print_path("cell", State::good, style_of(State::good).fill, points, data);
      } else if (stroke == Stroke::mark) {
        out += print_path("mark", state, style.dark_mark ? kDarkMark : kLightMark, points, data);
      } else {
        out += print_path("cell", state, style.fill, points, data);
      }
    }
    return out;
  }

 private:
  // The side of the square that a sign would be the mark of: a sign reaches as far as its own side.
  static constexpr double kSignSide = kCellSide * kSignSteps / kShapeSteps / (1 - 2 * kMarkInset);
  static constexpr Color kDarkMark{0.13, 0.15, 0.18};
  static constexpr Color kLightMark{1, 1, 1};

  struct Key {
    std::size_t severity;
    Stroke stroke;
    int width;  // in hundredths of a point

    auto operator<=>(const Key&) const = default;
  };

  std::string& path(State state, Stroke stroke, double width) {
    return paths_[{severity_of(state), stroke, static_cast<int>(std::lround(width * 100))}];
  }
  void add_square(State state, Stroke stroke, double x, double y, int steps) {
    const double side = kCellSide * steps / kShapeSteps;
    path(state, stroke, side) += fmt::format("M{} {}h{}", number(x + (kCellSide - side) / 2),
                                             number(y + kCellSide / 2), number(side));
  }
  // The mark of a square of that side in the middle of a cell.
  void add_mark(State state, Stroke stroke, CellMark mark, double x, double y, double side) {
    const double left = x + (kCellSide - side) / 2;
    const double top = y + (kCellSide - side) / 2;
    const double in = side * kMarkInset;
    const std::string length = number(side - 2 * in);
    if (mark == CellMark::none) return;
    std::string& data =
        path(state, stroke, side * (mark == CellMark::cross ? kCrossWidth : kBarWidth));
    if (mark == CellMark::cross) {
      data += fmt::format("M{0} {1}l{2} {2}m0 -{2}l-{2} {2}", number(left + in), number(top + in),
                          length);
    } else if (mark == CellMark::dash) {
      data += fmt::format("M{} {}h{}", number(left + in), number(top + side / 2), length);
    } else {
      data += fmt::format("M{} {}v{}", number(left + side / 2), number(top + in), length);
    }
  }
  static std::string print_path(const char* kind, State state, const Color& color, double width,
                                const std::string& data, const std::string& dashes = {}) {
    return fmt::format("<path class=\"{} {}\" stroke=\"{}\" stroke-width=\"{}\"{} d=\"{}\"/>", kind,
                       name_of(state), hex(color), number(width), dashes, data);
  }

  std::string ground_;
  std::map<Key, std::string> paths_;
};

constexpr const char* kHead =
    "<svg class=\"{}\" viewBox=\"0 0 {:g} {:g}\" fill=\"none\" aria-hidden=\"true\">";

}  // namespace

Cells make_picture_cells(std::span<const format::Extent> extents, SectorCount size) {
  return make_cells(extents, {{0}, size}, kPictureColumns * kPictureRows);
}

std::string print_page_picture(const Cells& cells, std::uint64_t columns, const std::string& kind) {
  const std::uint64_t count = cells.size();
  const std::uint64_t rows = (count + columns - 1) / columns;
  const SectorCount step{columns * cells.per_cell.value};
  const std::string widest = std::to_string(cells.range_of((rows - 1) * columns).first.value);
  const double left =
      static_cast<double>(std::max(widest.size(), kLeastAddress)) * kDigitWidth + kAddressGap;
  PagePaths paths;
  std::string addresses;
  const auto address = [&](double y, const std::string& words) {
    addresses += fmt::format(
        "<text class=\"address\" text-anchor=\"end\" font-size=\"{:g}\" x=\"{:g}\" "
        "y=\"{:g}\">{}</text>",
        kAddressSize, left - kAddressGap, y + kAddressSize * 0.75, words);
  };
  for (std::uint64_t row = 0; row < rows; ++row) {
    const double y = static_cast<double>(row) * kCellStep;
    const std::uint64_t end = std::min(count, (row + 1) * columns);
    paths.add_ground(left, y, end - row * columns);
    for (std::uint64_t at = row * columns; at < end; ++at) {
      paths.add_cell(cells.counts[at], left + static_cast<double>(at % columns) * kCellStep, y);
    }
    if (row % kRowsAddressed != 0) continue;
    const Sector first = cells.range_of(row * columns).first;
    address(y, std::to_string(first.value));
    address(y + kAddressSize, position_text(first, step));
  }
  const double width = left + static_cast<double>(columns) * kCellStep;
  // The last address may stand below the last row.
  const double height = static_cast<double>(rows) * kCellStep + kAddressSize + 8;
  return fmt::format(fmt::runtime(kHead), kind, width, height) + paths.print() + addresses +
         "</svg>";
}

std::string print_page_swatch(State state) {
  PagePaths paths;
  StateCounts all{};
  all[severity_of(state)] = 1;
  paths.add_ground(0, 0, 1);
  paths.add_cell(all, 0, 0);
  return fmt::format(fmt::runtime(kHead), "swatch", kCellSide, kCellSide) + paths.print() +
         "</svg>";
}

}  // namespace dmremap::view
