// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/cairo.hpp"

#include "os/loaded_library.hpp"

namespace dmremap::view {

namespace {

// The version of its interface that the header is of.
constexpr const char* kFile = "libcairo.so.2";

}  // namespace

Result<Cairo> Cairo::load() {
  const os::LoadedLibrary library(kFile);
  Cairo out;
  const bool complete =
      library.find("cairo_image_surface_create", out.image_surface_create) &&
      library.find("cairo_surface_destroy", out.surface_destroy) &&
      library.find("cairo_surface_write_to_png_stream", out.surface_write_to_png_stream) &&
      library.find("cairo_create", out.create) && library.find("cairo_destroy", out.destroy) &&
      library.find("cairo_status", out.status) &&
      library.find("cairo_status_to_string", out.status_to_string) &&
      library.find("cairo_scale", out.scale) &&
      library.find("cairo_set_source_rgb", out.set_source_rgb) &&
      library.find("cairo_set_line_width", out.set_line_width) &&
      library.find("cairo_rectangle", out.rectangle) &&
      library.find("cairo_move_to", out.move_to) && library.find("cairo_line_to", out.line_to) &&
      library.find("cairo_fill", out.fill) && library.find("cairo_stroke", out.stroke) &&
      library.find("cairo_select_font_face", out.select_font_face) &&
      library.find("cairo_set_font_size", out.set_font_size) &&
      library.find("cairo_show_text", out.show_text) &&
      library.find("cairo_text_extents", out.text_extents);
  if (!complete) {
    return fail(ErrorCode::not_supported, "pictures are drawn by Cairo, which is not here", kFile,
                "install it (libcairo2), or see the map in a terminal: `dmremap map NAME`");
  }
  return out;
}

}  // namespace dmremap::view
