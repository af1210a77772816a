// SPDX-License-Identifier: GPL-2.0-or-later
// bench_metadata [--dir DIRECTORY] [--pairs N]: what a commit, an opening and a checksum cost, as
// Markdown tables. See docs/performance.md.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "measure.hpp"
#include "sections.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("What a commit, an opening and a checksum cost");
  std::string directory = "/var/tmp";
  unsigned pairs = 40;
  app.add_option("--dir", directory, "where the images go for the time being; a disk, not tmpfs")
      ->capture_default_str();
  app.add_option("--pairs", pairs, "of each comparison")
      ->check(CLI::Range(6U, 100'000U))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print("Median (95 % interval). Load average before: {}\n", dmremap::bench::load_average());
  dmremap::bench::print_commits(directory, pairs);
  dmremap::bench::print_opening(directory, pairs);
  dmremap::bench::print_checksums(pairs);
  fmt::print("\nLoad average after: {}\n", dmremap::bench::load_average());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_metadata: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
