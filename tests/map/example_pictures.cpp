// SPDX-License-Identifier: GPL-2.0-or-later
// map-examples DIRECTORY: draws each example there, as NAME.svg, NAME.png and, for two windows of a
// terminal and for one without UTF-8 and colour, NAME.80x24, NAME.200x50 and NAME.ascii. To be
// looked at; tests/map/map_pictures.py looks at the SVG in a browser.
#include <cstdio>
#include <fstream>
#include <string>

#include "map/example_maps.hpp"
#include "view/picture.hpp"
#include "view/terminal_map.hpp"

namespace {

namespace view = dmremap::view;

bool write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (file.flush()) return true;
  std::fprintf(stderr, "map-examples: %s: cannot write it\n", path.c_str());
  return false;
}

std::string in_terminal(const view::MapFacts& facts, unsigned columns, unsigned lines, bool ascii) {
  const view::TerminalForm form{.columns = columns, .color = !ascii, .ascii = ascii};
  return view::print_terminal_map(facts, view::fitted(facts, lines - 1, form));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: map-examples DIRECTORY\n", stderr);
    return 2;
  }
  for (const std::string& name : view::examples::names()) {
    const auto example = view::examples::by_name(name);
    const view::MapFacts facts = example.drawn();
    const std::string path = std::string(argv[1]) + "/" + name;
    const auto svg = view::draw_picture(view::PictureKind::svg, facts);
    const auto png = view::draw_picture(view::PictureKind::png, facts);
    if (!svg || !png || !write(path + ".svg", *svg) || !write(path + ".png", *png) ||
        !write(path + ".80x24", in_terminal(facts, 80, 24, false)) ||
        !write(path + ".200x50", in_terminal(facts, 200, 50, false)) ||
        !write(path + ".ascii", in_terminal(facts, 80, 24, true))) {
      return 1;
    }
  }
  return 0;
}
