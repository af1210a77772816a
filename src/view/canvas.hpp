// SPDX-License-Identifier: GPL-2.0-or-later
// What a picture is drawn on: an SVG document, or the pixels of a PNG. Sizes are in points.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "view/state_style.hpp"

namespace dmremap::view {

struct Cairo;

enum class Align { left, right };

struct Font {
  double size = 13;
  Color color{};
  bool bold = false;
  Align align = Align::left;  // where the point lies that a text is placed by
};

// Not thread-safe. Its methods cannot fail: finish() tells what went wrong.
class Canvas {
 public:
  Canvas() = default;
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;
  virtual ~Canvas() = default;

  virtual void box(double x, double y, double width, double height, const Color& color) = 0;
  virtual void line(double x1, double y1, double x2, double y2, double width,
                    const Color& color) = 0;
  // `words` may be any bytes.
  virtual void text(double x, double y, const std::string& words, const Font& font) = 0;
  // What is drawn until end_group() belongs together and is called `title`, which a browser shows
  // beside the pointer; `kind` is a class for style sheets. Groups do not contain groups.
  virtual void begin_group(const std::string& kind, const std::string& title) = 0;
  virtual void end_group() = 0;

  // The bytes of the file. Errors: no_memory, internal: the drawing library's.
  [[nodiscard]] virtual Result<std::string> finish() = 0;
};

// `title` is the name of the whole picture.
[[nodiscard]] std::unique_ptr<Canvas> make_svg_canvas(double width, double height,
                                                      const std::string& title);
[[nodiscard]] std::unique_ptr<Canvas> make_png_canvas(const Cairo& cairo, double width,
                                                      double height);

// "#d65e00".
[[nodiscard]] std::string hex(const Color& color);

// The width of a text in the typeface of pictures, as PNG has it. A browser that lacks it takes
// another one, which may be wider.
[[nodiscard]] double text_width(const Cairo& cairo, const std::string& words, const Font& font);

}  // namespace dmremap::view
