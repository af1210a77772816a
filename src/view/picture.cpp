// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/picture.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/size_text.hpp"
#include "view/cairo.hpp"
#include "view/canvas.hpp"
#include "view/cell_shape.hpp"
#include "view/state_style.hpp"

namespace dmremap::view {

namespace {

using format::State;

// Sizes in points. The height follows from what there is to be said.
constexpr double kWidth = 1200;
constexpr double kMargin = 48;
constexpr double kAddressWidth = 118;
constexpr double kTitleBase = 62;  // of the name
constexpr double kHeaderTop = 92;  // of the first line below it
constexpr double kHeaderLine = 22;
constexpr double kHeaderGap = 30;  // from the last line to the squares
constexpr double kLegendLine = 26;
constexpr double kListLine = 20;
constexpr double kListGap = 14;
constexpr double kBorderWidth = 1.5;
constexpr std::uint64_t kColumns = kPictureColumns;
constexpr std::uint64_t kRowsAddressed = 4;  // every fourth row says where it begins
constexpr std::size_t kListed = 8;
constexpr double kBarWidthPoints = 160;  // of the spare's fill

constexpr double kGridLeft = kMargin + kAddressWidth;
constexpr double kGridRight = kGridLeft + kColumns * kCellStep;
static_assert(kGridRight + kMargin <= kWidth);

constexpr Color kInk{0.13, 0.15, 0.18};
constexpr Color kFaint{0.42, 0.45, 0.49};
constexpr Color kWhite{1, 1, 1};

// As many characters of the words as have room, with an ellipsis if these are not all.
std::string within(const Cairo& cairo, const std::string& words, double width, const Font& font) {
  if (text_width(cairo, words, font) <= width) return words;
  const auto cut = [&](std::size_t bytes) {
    // A character of UTF-8 goes as a whole.
    while (bytes > 0 && (static_cast<unsigned char>(words[bytes]) & 0xc0U) == 0x80U) --bytes;
    return words.substr(0, bytes) + "\u2026";
  };
  std::size_t least = 0;
  std::size_t most = words.size();
  while (least + 1 < most) {
    const std::size_t middle = (least + most) / 2;
    (text_width(cairo, cut(middle), font) <= width ? least : most) = middle;
  }
  return cut(least);
}

// The mark of a state, in a square of that side.
void draw_mark(Canvas& canvas, double x, double y, double side, CellMark mark, const Color& color) {
  const double in = side * kMarkInset;
  const double middle = side / 2;
  switch (mark) {
    case CellMark::none:
      break;
    case CellMark::cross:
      canvas.line(x + in, y + in, x + side - in, y + side - in, side * kCrossWidth, color);
      canvas.line(x + side - in, y + in, x + in, y + side - in, side * kCrossWidth, color);
      break;
    case CellMark::dash:
      canvas.line(x + in, y + middle, x + side - in, y + middle, side * kBarWidth, color);
      break;
    case CellMark::bar:
      canvas.line(x + middle, y + in, x + middle, y + side - in, side * kBarWidth, color);
      break;
  }
}

void draw_cell(Canvas& canvas, double x, double y, double side, const StateCounts& counts) {
  const CellShape shape = shape_of(counts);
  // A square of so many eighths, in the middle.
  const auto part = [&](int steps) { return side * steps / kShapeSteps; };
  const auto inset = [&](int steps) { return (side - part(steps)) / 2; };
  const auto square = [&](int steps, const Color& color) {
    canvas.box(x + inset(steps), y + inset(steps), part(steps), part(steps), color);
  };
  const Color& ground = style_of(State::good).fill;
  square(kShapeSteps, ground);
  for (std::size_t i = 0; i < shape.count; ++i) {
    const CellLayer& layer = shape.layers[i];
    const StateStyle& style = style_of(layer.state);
    const bool innermost = i + 1 == shape.count;
    if (innermost && shape.sign) {
      if (shape.patch) square(kPatchSteps, ground);
      // A sign has no square around it, so its mark may reach further.
      const double reach = part(kSignSteps) / (1 - 2 * kMarkInset);
      draw_mark(canvas, x + (side - reach) / 2, y + (side - reach) / 2, reach, style.mark,
                style.fill);
      continue;
    }
    square(layer.steps, style.fill);
    if (innermost) {
      draw_mark(canvas, x + inset(layer.steps), y + inset(layer.steps), part(layer.steps),
                style.mark, style.dark_mark ? kInk : kWhite);
    }
  }
}

// One drawing: what it says, and where its parts stand.
class Drawing {
 public:
  Drawing(const Cairo& cairo, const MapFacts& facts)
      : cairo_(cairo),
        facts_(facts),
        cells_(make_cells(facts.extents, facts.shown, kColumns * kPictureRows)),
        bad_(bad_ranges(facts.extents, facts.shown)),
        header_(make_header()) {}

  [[nodiscard]] double height() const;
  void draw(Canvas& canvas) const;

 private:
  struct HeaderLine {
    std::string words;
    Font font;
    const SpareFill* fill = nullptr;  // drawn as a bar behind the words
  };

  [[nodiscard]] std::vector<HeaderLine> make_header() const;
  [[nodiscard]] double grid_top() const {
    return kHeaderTop + kHeaderLine * static_cast<double>(header_.size() - 1) + kHeaderGap;
  }
  [[nodiscard]] double legend_top() const {
    const std::uint64_t rows = (cells_.size() + kColumns - 1) / kColumns;
    return grid_top() + static_cast<double>(rows) * kCellStep + 30;
  }
  [[nodiscard]] double lists_top() const {
    return legend_top() + 34 + kLegendLine * static_cast<double>(kStateStyles.size()) + 10;
  }
  [[nodiscard]] double x_of(std::size_t cell) const {
    return kGridLeft + static_cast<double>(cell % kColumns) * kCellStep;
  }
  [[nodiscard]] double y_of(std::size_t cell) const {
    const std::size_t row = cell / kColumns;
    return grid_top() + static_cast<double>(row) * kCellStep;
  }
  void draw_header(Canvas& canvas) const;
  void draw_grid(Canvas& canvas) const;
  void draw_borders(Canvas& canvas) const;
  void draw_legend(Canvas& canvas) const;
  void draw_lists(Canvas& canvas) const;

  const Cairo& cairo_;
  const MapFacts& facts_;
  Cells cells_;
  std::vector<BadRange> bad_;
  std::vector<HeaderLine> header_;  // asked for by every square
};

// The lines of a list with that many entries, with the one that says how many were left out.
double list_height(std::size_t entries) {
  if (entries == 0) return 0;
  return kListGap + kListLine * static_cast<double>(std::min(entries, kListed + 1));
}

double Drawing::height() const {
  return lists_top() + list_height(bad_.size()) + list_height(facts_.disk.partitions.size()) + 24;
}

std::vector<Drawing::HeaderLine> Drawing::make_header() const {
  const Font normal{.size = 15, .color = kInk};
  const Font alarm{.size = 17, .color = kAlarm, .bold = true};
  std::vector<HeaderLine> out{{facts_.state, normal},
                              {loss_line(facts_), facts_.has_loss() ? alarm : normal}};
  if (facts_.failing.value > 0) out.push_back({failing_line(facts_), alarm});
  out.push_back({disk_line(facts_), normal});
  for (const SpareFill& spare : facts_.spares) out.push_back({spare_line(spare), normal, &spare});
  if (!facts_.verdict.empty()) out.push_back({facts_.verdict, normal});
  if (!facts_.is_whole()) {
    out.push_back({"shown: " + region_line(facts_), {.size = 15, .color = kInk, .bold = true}});
  }
  out.push_back({fmt::format("set {}", facts_.uuid), {.size = 13, .color = kFaint}});
  return out;
}

void Drawing::draw_header(Canvas& canvas) const {
  const Font name{.size = 28, .color = kInk, .bold = true};
  const Font right{.size = 15, .color = kInk, .align = Align::right};
  const std::string sectors = counted(facts_.size.value, "sector");
  canvas.text(kGridRight, 48, size_text(facts_.size), right);
  canvas.text(kGridRight, 68, sectors, right);
  canvas.text(kMargin, kTitleBase,
              within(cairo_, facts_.name,
                     kGridRight - kMargin - text_width(cairo_, sectors, right) - 20, name),
              name);
  double y = kHeaderTop;
  for (const HeaderLine& line : header_) {
    const double room = kGridRight - kMargin - (line.fill == nullptr ? 0 : kBarWidthPoints + 20);
    canvas.text(kMargin, y, within(cairo_, line.words, room, line.font), line.font);
    if (line.fill != nullptr) {
      const double left = kGridRight - kBarWidthPoints;
      const double share = std::clamp(line.fill->share(), 0.0, 1.0);
      canvas.box(left, y - 10, kBarWidthPoints, 10, style_of(State::good).fill);
      canvas.box(left, y - 10, kBarWidthPoints * share, 10,
                 share < 0.8 ? style_of(State::remapped).fill : kAlarm);
    }
    y += kHeaderLine;
  }
  canvas.text(kGridRight, y - kHeaderLine, facts_.time,
              {.size = 13, .color = kFaint, .align = Align::right});
}

void Drawing::draw_grid(Canvas& canvas) const {
  const Font address{.size = 10.5, .color = kFaint, .align = Align::right};
  const SectorCount step{cells_.per_cell.value * kColumns};
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const double y = y_of(i);
    if (i % (kColumns * kRowsAddressed) == 0) {
      const Sector first = cells_.range_of(i).first;
      canvas.text(kGridLeft - 10, y + kCellSide - 0.5, std::to_string(first.value), address);
      canvas.text(kGridLeft - 10, y + kCellSide + kCellStep, position_text(first, step), address);
    }
    canvas.begin_group(std::string(name_of(cells_.worst(i))), cell_text(cells_, i));
    draw_cell(canvas, x_of(i), y, kCellSide, cells_.counts[i]);
    canvas.end_group();
  }
}

// A border runs between the squares: over those from where the partition begins to the end of the
// row, down at its first square, and below those before it.
void Drawing::draw_borders(Canvas& canvas) const {
  const double gap = (kCellStep - kCellSide) / 2;
  const double right = kGridRight - gap;
  std::map<std::size_t, std::string> numbers;  // by row
  for (const Partition& partition : facts_.disk.partitions) {
    if (!facts_.shown.contains(partition.range.first)) continue;
    const std::size_t cell = cells_.cell_of(partition.range.first);
    const double x = x_of(cell) - gap;
    const double y = y_of(cell) - gap;
    canvas.begin_group("partition", partition_line(partition));
    canvas.line(x, y, right, y, kBorderWidth, kInk);
    if (cell % kColumns != 0) {
      canvas.line(x, y, x, y + kCellStep, kBorderWidth, kInk);
      canvas.line(kGridLeft - gap, y + kCellStep, x, y + kCellStep, kBorderWidth, kInk);
    }
    canvas.end_group();
    std::string& of_row = numbers[cell / kColumns];
    of_row += fmt::format("{}{}", of_row.empty() ? "" : ", ", partition.number);
  }
  const Font font{.size = 10.5, .color = kInk, .bold = true};
  for (const auto& [row, text] : numbers) {
    canvas.text(kGridRight + 4, y_of(row * kColumns) + kCellSide,
                within(cairo_, text, kWidth - kGridRight - 4, font), font);
  }
}

void Drawing::draw_legend(Canvas& canvas) const {
  double y = legend_top();
  const Font faint{.size = 13, .color = kFaint};
  canvas.text(
      kGridLeft, y,
      fmt::format(
          "One square is {} ({}): a sign for a few of them, the full square for all, the worst "
          "innermost.",
          size_text(cells_.per_cell), counted(cells_.per_cell.value, "sector")),
      faint);
  const StateCounts counts = count_states(facts_.extents, facts_.shown);
  y += 34;
  for (std::size_t i = 0; i < counts.size(); ++i, y += kLegendLine) {
    StateCounts few{};
    few[0] = 99;
    few[i] += 1;
    StateCounts all{};
    all[i] = 1;
    draw_cell(canvas, kGridLeft, y - 13, 16, few);
    draw_cell(canvas, kGridLeft + 20, y - 13, 16, all);
    const Font ink{.size = 14, .color = kInk, .bold = counts[i] > 0 && i > 0};
    Font right = ink;
    right.align = Align::right;
    canvas.text(kGridLeft + 48, y, std::string(name_of(kStatesOfMain[i])), ink);
    canvas.text(kGridLeft + 330, y, counted(counts[i], "sector"), right);
    canvas.text(kGridLeft + 430, y, size_text({counts[i]}), right);
    canvas.text(kGridLeft + 460, y, kStateStyles[i].meaning, faint);
  }
}

void Drawing::draw_lists(Canvas& canvas) const {
  double y = lists_top();
  const auto list = [&](const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    y += kListGap;
    for (std::size_t i = 0; i < std::min(lines.size(), kListed); ++i, y += kListLine) {
      const Font font{.size = 13, .color = kInk};
      canvas.text(kGridLeft + 48, y, within(cairo_, lines[i], kGridRight - kGridLeft - 48, font),
                  font);
    }
    if (lines.size() <= kListed) return;
    canvas.text(kGridLeft + 48, y, fmt::format("and {} more", lines.size() - kListed),
                {.size = 13, .color = kFaint});
    y += kListLine;
  };
  std::vector<std::string> bad;
  for (const BadRange& one : bad_) bad.push_back(bad_range_line(one));
  std::vector<std::string> partitions;
  for (const Partition& one : facts_.disk.partitions) partitions.push_back(partition_line(one));
  list(bad);
  list(partitions);
}

void Drawing::draw(Canvas& canvas) const {
  canvas.box(0, 0, kWidth, height(), kWhite);
  draw_header(canvas);
  draw_grid(canvas);
  draw_borders(canvas);
  draw_legend(canvas);
  draw_lists(canvas);
}

}  // namespace

Result<std::string> draw_picture(PictureKind kind, const MapFacts& facts) {
  const auto cairo = Cairo::load();
  if (!cairo) return failure_of(cairo);
  const Drawing drawing(*cairo, facts);
  const auto canvas = kind == PictureKind::svg
                          ? make_svg_canvas(kWidth, drawing.height(),
                                            fmt::format("{}: {}", facts.name, loss_line(facts)))
                          : make_png_canvas(*cairo, kWidth, drawing.height());
  drawing.draw(*canvas);
  return canvas->finish();
}

}  // namespace dmremap::view
