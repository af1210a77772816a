// SPDX-License-Identifier: GPL-2.0-or-later
// Cairo, loaded when a picture is drawn: it brings X11, fontconfig and a dozen more libraries with
// it, which neither another verb nor the process of a set has a use for, nor an initramfs.
#pragma once

#include <cairo.h>

#include "base/result.hpp"

namespace dmremap::view {

// The functions that are used, by their names without cairo_.
struct Cairo {
  decltype(&::cairo_image_surface_create) image_surface_create = nullptr;
  decltype(&::cairo_surface_destroy) surface_destroy = nullptr;
  decltype(&::cairo_surface_write_to_png_stream) surface_write_to_png_stream = nullptr;
  decltype(&::cairo_create) create = nullptr;
  decltype(&::cairo_destroy) destroy = nullptr;
  decltype(&::cairo_status) status = nullptr;
  decltype(&::cairo_status_to_string) status_to_string = nullptr;
  decltype(&::cairo_scale) scale = nullptr;
  decltype(&::cairo_set_source_rgb) set_source_rgb = nullptr;
  decltype(&::cairo_set_line_width) set_line_width = nullptr;
  decltype(&::cairo_rectangle) rectangle = nullptr;
  decltype(&::cairo_move_to) move_to = nullptr;
  decltype(&::cairo_line_to) line_to = nullptr;
  decltype(&::cairo_fill) fill = nullptr;
  decltype(&::cairo_stroke) stroke = nullptr;
  decltype(&::cairo_select_font_face) select_font_face = nullptr;
  decltype(&::cairo_set_font_size) set_font_size = nullptr;
  decltype(&::cairo_show_text) show_text = nullptr;
  decltype(&::cairo_text_extents) text_extents = nullptr;

  // It stays loaded until the process ends. Error not_supported: it is not installed.
  [[nodiscard]] static Result<Cairo> load();
};

}  // namespace dmremap::view
