// SPDX-License-Identifier: GPL-2.0-or-later
// report-examples DIRECTORY: writes the page of each example there, as NAME.html, to be looked at
// in a browser (tests/report/report_page.py).
#include <cstdio>
#include <fstream>

#include "report/example_facts.hpp"
#include "report/page.hpp"

int main(int argc, char** argv) {
  namespace examples = dmremap::report::examples;
  if (argc != 2) {
    std::fputs("usage: report-examples DIRECTORY\n", stderr);
    return 2;
  }
  for (const std::string& name : examples::names()) {
    std::ofstream file(std::string(argv[1]) + "/" + name + ".html", std::ios::binary);
    file << dmremap::report::make_page(examples::by_name(name));
    if (!file.flush()) {
      std::fprintf(stderr, "report-examples: %s: cannot write it\n", name.c_str());
      return 1;
    }
  }
  return 0;
}
