// SPDX-License-Identifier: GPL-2.0-or-later
#include <cmath>

#include <fmt/format.h>

#include "view/canvas.hpp"
#include "view/markup.hpp"

namespace dmremap::view {

namespace {

class SvgCanvas final : public Canvas {
 public:
  SvgCanvas(double width, double height, const std::string& title) {
    out_ = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 "
        "{0:g} {1:g}\" font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n<title>{2}</title>\n",
        width, height, escape(title));
  }

  void box(double x, double y, double width, double height, const Color& color) override {
    out_ += fmt::format("<rect x=\"{:g}\" y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" fill=\"{}\"/>",
                        rounded(x), rounded(y), rounded(width), rounded(height), hex(color));
    end_line();
  }
  void line(double x1, double y1, double x2, double y2, double width, const Color& color) override {
    out_ +=
        fmt::format("<path d=\"M{:g} {:g}L{:g} {:g}\" stroke=\"{}\" stroke-width=\"{:g}\"/>",
                    rounded(x1), rounded(y1), rounded(x2), rounded(y2), hex(color), rounded(width));
    end_line();
  }
  void text(double x, double y, const std::string& words, const Font& font) override {
    out_ += fmt::format("<text x=\"{:g}\" y=\"{:g}\" font-size=\"{:g}\" fill=\"{}\"{}{}>{}</text>",
                        rounded(x), rounded(y), font.size, hex(font.color),
                        font.bold ? " font-weight=\"bold\"" : "",
                        font.align == Align::right ? " text-anchor=\"end\"" : "", escape(words));
    end_line();
  }
  void begin_group(const std::string& kind, const std::string& title) override {
    out_ += fmt::format("<g class=\"{}\"><title>{}</title>", escape(kind), escape(title));
    in_group_ = true;
  }
  void end_group() override {
    out_ += "</g>";
    in_group_ = false;
    end_line();
  }
  Result<std::string> finish() override { return out_ + "</svg>\n"; }

 private:
  // Hundredths of a point are fine enough.
  static double rounded(double value) { return std::round(value * 100) / 100; }
  // A group stands in a line of its own.
  void end_line() {
    if (!in_group_) out_ += '\n';
  }

  std::string out_;
  bool in_group_ = false;
};

}  // namespace

std::string hex(const Color& color) {
  const auto byte = [](double share) { return static_cast<unsigned>(std::lround(share * 255)); };
  return fmt::format("#{:02x}{:02x}{:02x}", byte(color.red), byte(color.green), byte(color.blue));
}

std::unique_ptr<Canvas> make_svg_canvas(double width, double height, const std::string& title) {
  return std::make_unique<SvgCanvas>(width, height, title);
}

}  // namespace dmremap::view
