// SPDX-License-Identifier: GPL-2.0-or-later
// bench_engine [--dir DIRECTORY] [--pairs N] [--quick]: requests through the engine, as Markdown
// tables. See docs/performance.md.
#include "engine.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "measure.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("What a remapped block, a failing write and a growing table cost");
  std::string directory = "/var/tmp";
  unsigned pairs = 40;
  bool quick = false;
  app.add_option("--dir", directory, "where the images go for the time being; a disk, not tmpfs")
      ->capture_default_str();
  app.add_option("--pairs", pairs, "of each comparison")
      ->check(CLI::Range(6U, 100'000U))
      ->capture_default_str();
  app.add_flag("--quick", quick, "sizes that say nothing: does it still run?");
  CLI11_PARSE(app, argc, argv);
  using Sizes = std::vector<std::uint64_t>;
  fmt::print("Median (95 % interval). Load average before: {}\n", dmremap::bench::load_average());
  dmremap::bench::print_remapped(directory, quick ? 100 : 5'000, pairs);
  dmremap::bench::print_first_errors(
      directory, quick ? std::vector<unsigned>{1, 4} : std::vector<unsigned>{1, 10, 1'000},
      quick ? 6 : pairs);
  dmremap::bench::print_growth(quick ? Sizes{1, 100} : Sizes{1, 10'000, 1'000'000},
                               quick ? 6 : pairs);
  fmt::print("\nLoad average after: {}\n", dmremap::bench::load_average());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_engine: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
