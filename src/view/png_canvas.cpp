// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>
#include <new>

#include "view/cairo.hpp"
#include "view/canvas.hpp"
#include "view/markup.hpp"

namespace dmremap::view {

namespace {

constexpr double kScale = 2;  // pixels of a point

using Surface = std::unique_ptr<cairo_surface_t, decltype(Cairo::surface_destroy)>;
using Context = std::unique_ptr<cairo_t, decltype(Cairo::destroy)>;

cairo_status_t append(void* closure, const unsigned char* data, unsigned length) {
  try {
    static_cast<std::string*>(closure)->append(data, data + length);
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

Result<void> check(const Cairo& cairo, cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return {};
  const auto code = status == CAIRO_STATUS_NO_MEMORY ? ErrorCode::no_memory : ErrorCode::internal;
  return fail(code, std::string("cannot draw: ") + cairo.status_to_string(status));
}

class PngCanvas final : public Canvas {
 public:
  PngCanvas(const Cairo& cairo, double width, double height)
      : cairo_(cairo),
        surface_(cairo.image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width * kScale),
                                            static_cast<int>(height * kScale)),
                 cairo.surface_destroy),
        context_(cairo.create(surface_.get()), cairo.destroy) {
    cairo_.scale(context_.get(), kScale, kScale);
  }

  void box(double x, double y, double width, double height, const Color& color) override {
    take(color);
    cairo_.rectangle(context_.get(), x, y, width, height);
    cairo_.fill(context_.get());
  }
  void line(double x1, double y1, double x2, double y2, double width, const Color& color) override {
    take(color);
    cairo_.set_line_width(context_.get(), width);
    cairo_.move_to(context_.get(), x1, y1);
    cairo_.line_to(context_.get(), x2, y2);
    cairo_.stroke(context_.get());
  }
  void text(double x, double y, const std::string& words, const Font& font) override {
    take(font.color);
    take(font);
    const std::string shown = plain(words);
    const double left = font.align == Align::right ? x - advance(shown) : x;
    cairo_.move_to(context_.get(), left, y);
    cairo_.show_text(context_.get(), shown.c_str());
  }
  void begin_group(const std::string& /*kind*/, const std::string& /*title*/) override {}
  void end_group() override {}

  Result<std::string> finish() override {
    if (auto drawn = check(cairo_, cairo_.status(context_.get())); !drawn) return failure_of(drawn);
    std::string out;
    const auto status = cairo_.surface_write_to_png_stream(surface_.get(), append, &out);
    if (auto written = check(cairo_, status); !written) return failure_of(written);
    return out;
  }

  // Of a text that is plain, in the font that was taken last.
  [[nodiscard]] double advance(const std::string& shown) const {
    cairo_text_extents_t extents;
    cairo_.text_extents(context_.get(), shown.c_str(), &extents);
    return extents.x_advance;
  }
  void take(const Font& font) {
    cairo_.select_font_face(context_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                            font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_.set_font_size(context_.get(), font.size);
  }

 private:
  void take(const Color& color) {
    cairo_.set_source_rgb(context_.get(), color.red, color.green, color.blue);
  }

  Cairo cairo_;
  Surface surface_;
  Context context_;
};

}  // namespace

std::unique_ptr<Canvas> make_png_canvas(const Cairo& cairo, double width, double height) {
  return std::make_unique<PngCanvas>(cairo, width, height);
}

double text_width(const Cairo& cairo, const std::string& words, const Font& font) {
  PngCanvas canvas(cairo, 1, 1);
  canvas.take(font);
  return canvas.advance(plain(words));
}

}  // namespace dmremap::view
