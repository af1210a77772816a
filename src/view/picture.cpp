// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/picture.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include <cairo-svg.h>
#include <cairo.h>
#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/state_style.hpp"
#include "view/terminal_map.hpp"

namespace dmremap::view {

namespace {

using format::State;

// Sizes in points. The height follows from the number of rows.
constexpr double kWidth = 1200;
constexpr double kMargin = 48;
constexpr double kAddressWidth = 118;
constexpr double kStep = kCellStep;
constexpr double kCell = kCellSide;
constexpr double kGridTop = 148;
constexpr double kVerdictLine = 22;  // the room for the verdict, if there is one
constexpr double kLegendLine = 26;
constexpr std::uint64_t kColumns = kPictureColumns;
constexpr std::uint64_t kRows = kPictureRows;
constexpr std::uint64_t kRowsAddressed = 4;  // every fourth row says where it begins
constexpr std::size_t kNamedExtents = 8;
constexpr double kPngScale = 2;

constexpr double kGridLeft = kMargin + kAddressWidth;
constexpr double kGridRight = kGridLeft + kColumns * kStep;
static_assert(kGridRight + kMargin <= kWidth);

constexpr Color kInk{0.13, 0.15, 0.18};
constexpr Color kFaint{0.42, 0.45, 0.49};
constexpr Color kWhite{1, 1, 1};
struct FreeSurface {
  void operator()(cairo_surface_t* surface) const { ::cairo_surface_destroy(surface); }
};
using Surface = std::unique_ptr<cairo_surface_t, FreeSurface>;
struct FreeContext {
  void operator()(cairo_t* context) const { ::cairo_destroy(context); }
};

cairo_status_t append(void* closure, const unsigned char* data, unsigned length) {
  try {
    static_cast<std::string*>(closure)->append(data, data + length);
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

// Draws into a surface; its methods take points.
class Pen {
 public:
  explicit Pen(cairo_surface_t* surface) : context_(::cairo_create(surface)) {}

  void color(const Color& color) {
    ::cairo_set_source_rgb(get(), color.red, color.green, color.blue);
  }
  void box(double x, double y, double width, double height) {
    ::cairo_rectangle(get(), x, y, width, height);
    ::cairo_fill(get());
  }
  void line(double x1, double y1, double x2, double y2, double width) {
    ::cairo_set_line_width(get(), width);
    ::cairo_move_to(get(), x1, y1);
    ::cairo_line_to(get(), x2, y2);
    ::cairo_stroke(get());
  }
  void font(double size, bool bold = false) {
    ::cairo_select_font_face(get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                             bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    ::cairo_set_font_size(get(), size);
  }
  void text(double x, double y, const std::string& text) {
    ::cairo_move_to(get(), x, y);
    ::cairo_show_text(get(), text.c_str());
  }
  // As much of the words as has room up to `right`, with an ellipsis if that is not all.
  void text_within(double x, double right, double y, std::string words) {
    const auto fits = [&](const std::string& shown) {
      cairo_text_extents_t extents;
      ::cairo_text_extents(get(), shown.c_str(), &extents);
      return x + extents.x_advance <= right;
    };
    if (fits(words)) return text(x, y, words);
    do {
      // A character of UTF-8 goes as a whole.
      while (!words.empty() && (static_cast<unsigned char>(words.back()) & 0xc0U) == 0x80U) {
        words.pop_back();
      }
      if (!words.empty()) words.pop_back();
    } while (!words.empty() && !fits(words + "\u2026"));
    text(x, y, words + "\u2026");
  }
  void text_before(double right, double y, const std::string& words) {
    cairo_text_extents_t extents;
    ::cairo_text_extents(get(), words.c_str(), &extents);
    text(right - extents.x_advance, y, words);
  }
  void cell(double x, double y, double side, State state) {
    color(style_of(state).fill);
    box(x, y, side, side);
    mark(x, y, side, state);
  }
  [[nodiscard]] cairo_status_t status() const { return ::cairo_status(context_.get()); }
  [[nodiscard]] cairo_t* get() const { return context_.get(); }

 private:
  void mark(double x, double y, double side, State state) {
    const double in = side * kMarkInset;
    const double middle = side / 2;
    const StateStyle& style = style_of(state);
    color(style.dark_mark ? kInk : kWhite);
    switch (style.mark) {
      case CellMark::none:
        break;
      case CellMark::cross:
        line(x + in, y + in, x + side - in, y + side - in, side * kCrossWidth);
        line(x + side - in, y + in, x + in, y + side - in, side * kCrossWidth);
        break;
      case CellMark::dash:
        line(x + in, y + middle, x + side - in, y + middle, side * kBarWidth);
        break;
      case CellMark::bar:
        line(x + middle, y + in, x + middle, y + side - in, side * kBarWidth);
        break;
    }
  }

  std::unique_ptr<cairo_t, FreeContext> context_;
};

struct Drawing {
  const PictureTitle& title;
  std::span<const format::Extent> extents;
  SectorCount size;
  Cells cells;

  [[nodiscard]] std::uint64_t rows() const {
    return (cells.states.size() + kColumns - 1) / kColumns;
  }
  [[nodiscard]] double grid_top() const {
    return kGridTop + (title.verdict.empty() ? 0 : kVerdictLine);
  }
  [[nodiscard]] double legend_top() const {
    return grid_top() + static_cast<double>(rows()) * kStep + 34;
  }
  [[nodiscard]] std::vector<format::Extent> worst() const;
  [[nodiscard]] double height() const {
    const auto named = static_cast<double>(std::min(worst().size(), kNamedExtents + 1));
    const double list = named > 0 ? 22 + 20 * named : 0;
    return legend_top() + 34 + kLegendLine * static_cast<double>(kStateStyles.size()) + list + 30;
  }
  void draw(Pen& pen) const;

 private:
  void draw_title(Pen& pen) const;
  void draw_grid(Pen& pen) const;
  void draw_legend(Pen& pen) const;
  void draw_worst(Pen& pen, double y) const;
};

std::vector<format::Extent> Drawing::worst() const {
  std::vector<format::Extent> out;
  for (const format::Extent& extent : extents) {
    if (extent.state() == State::lost || extent.state() == State::gone) out.push_back(extent);
  }
  return out;
}

void Drawing::draw_title(Pen& pen) const {
  pen.color(kInk);
  pen.font(28, true);
  pen.text(kMargin, 64, title.name);
  pen.font(15);
  pen.text_before(kGridRight, 52, size_text(size));
  pen.text_before(kGridRight, 72, fmt::format("{} sectors", size.value));
  pen.text_within(kMargin, kGridRight, 92, title.state);
  double y = 114;
  if (!title.verdict.empty()) {
    pen.text_within(kMargin, kGridRight, y, title.verdict);
    y += kVerdictLine;
  }
  pen.color(kFaint);
  pen.font(13);
  pen.text(kMargin, y, fmt::format("set {}", title.uuid));
  pen.text_before(kGridRight, y, title.time);
}

void Drawing::draw_grid(Pen& pen) const {
  for (std::size_t i = 0; i < cells.states.size(); ++i) {
    const std::uint64_t row = i / kColumns;
    const double y = grid_top() + static_cast<double>(row) * kStep;
    if (i % (kColumns * kRowsAddressed) == 0) {
      pen.color(kFaint);
      pen.font(10.5);
      pen.text_before(kGridLeft - 10, y + kCell - 0.5, std::to_string(i * cells.per_cell.value));
    }
    pen.cell(kGridLeft + static_cast<double>(i % kColumns) * kStep, y, kCell, cells.states[i]);
  }
}

void Drawing::draw_legend(Pen& pen) const {
  double y = legend_top();
  pen.color(kFaint);
  pen.font(13);
  pen.text(
      kGridLeft, y,
      fmt::format("One square is {} ({} sectors) and shows the worst of its sectors; numbers at "
                  "the left are sectors.",
                  size_text(cells.per_cell), cells.per_cell.value));
  const StateCounts counts = count_states(extents, size);
  y += 34;
  for (std::size_t i = 0; i < counts.size(); ++i, y += kLegendLine) {
    pen.cell(kGridLeft, y - 13, 16, kStatesOfMain[i]);
    pen.color(kInk);
    pen.font(14, counts[i] > 0 && i > 0);
    pen.text(kGridLeft + 28, y, std::string(name_of(kStatesOfMain[i])));
    pen.text_before(kGridLeft + 300, y, fmt::format("{} sectors", counts[i]));
    pen.text_before(kGridLeft + 400, y, size_text({counts[i]}));
    pen.color(kFaint);
    pen.font(13);
    pen.text(kGridLeft + 430, y, kStateStyles[i].meaning);
  }
  draw_worst(pen, y + 10);
}

// Lists the lost and gone extents, as far as there is room.
void Drawing::draw_worst(Pen& pen, double y) const {
  const auto bad = worst();
  for (std::size_t i = 0; i < std::min(bad.size(), kNamedExtents); ++i, y += 20) {
    pen.color(kInk);
    pen.font(13);
    const SectorRange range = bad[i].main();
    pen.text(kGridLeft + 28, y,
             fmt::format("{}: {}+{} ({})", name_of(bad[i].state()), range.first.value,
                         range.count.value, size_text(range.count)));
  }
  if (bad.size() > kNamedExtents) {
    pen.color(kFaint);
    pen.text(kGridLeft + 28, y, fmt::format("and {} more", bad.size() - kNamedExtents));
  }
}

void Drawing::draw(Pen& pen) const {
  pen.color(kWhite);
  pen.box(0, 0, kWidth, height());
  draw_title(pen);
  draw_grid(pen);
  draw_legend(pen);
}

Result<void> check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return {};
  const auto code = status == CAIRO_STATUS_NO_MEMORY ? ErrorCode::no_memory : ErrorCode::internal;
  return fail(code, std::string("cannot draw: ") + ::cairo_status_to_string(status));
}

Result<std::string> draw_svg(const Drawing& drawing) {
  std::string out;
  Surface surface(::cairo_svg_surface_create_for_stream(append, &out, kWidth, drawing.height()));
  ::cairo_svg_surface_set_document_unit(surface.get(), CAIRO_SVG_UNIT_PX);
  {
    Pen pen(surface.get());
    drawing.draw(pen);
    if (auto drawn = check(pen.status()); !drawn) return failure_of(drawn);
  }
  ::cairo_surface_finish(surface.get());
  if (auto drawn = check(::cairo_surface_status(surface.get())); !drawn) {
    return failure_of(drawn);
  }
  return out;
}

Result<std::string> draw_png(const Drawing& drawing) {
  const auto pixels = [](double points) { return static_cast<int>(points * kPngScale); };
  const Surface surface(
      ::cairo_image_surface_create(CAIRO_FORMAT_RGB24, pixels(kWidth), pixels(drawing.height())));
  Pen pen(surface.get());
  ::cairo_scale(pen.get(), kPngScale, kPngScale);
  drawing.draw(pen);
  if (auto drawn = check(pen.status()); !drawn) return failure_of(drawn);
  std::string out;
  if (auto written = check(::cairo_surface_write_to_png_stream(surface.get(), append, &out));
      !written) {
    return failure_of(written);
  }
  return out;
}

}  // namespace

Result<std::string> draw_picture(PictureKind kind, const PictureTitle& title,
                                 std::span<const format::Extent> extents, SectorCount size) {
  const Drawing drawing{title, extents, size, make_cells(extents, size, kColumns * kRows)};
  return kind == PictureKind::svg ? draw_svg(drawing) : draw_png(drawing);
}

}  // namespace dmremap::view
