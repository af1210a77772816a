// SPDX-License-Identifier: GPL-2.0-or-later
// bench_lookup [--rounds N] [--quick]: finding out where a request goes, and changing that, as
// Markdown tables. See docs/performance.md.
#include "lookup.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "measure.hpp"

namespace {

int run(int argc, char** argv) {
  CLI::App app("What it costs to find out where a request goes, and to change that");
  unsigned rounds = 40;
  bool quick = false;
  app.add_option("--rounds", rounds, "of each comparison")
      ->check(CLI::Range(6U, 100'000U))
      ->capture_default_str();
  app.add_flag("--quick", quick, "sizes that say nothing: does it still run?");
  CLI11_PARSE(app, argc, argv);
  using Sizes = std::vector<std::uint64_t>;
  const Sizes sizes = quick ? Sizes{0, 100} : Sizes{0, 100, 10'000, 1'000'000};
  const Sizes filled(sizes.begin() + 1, sizes.end());
  fmt::print("Median (95 % interval). Load average before: {}\n", dmremap::bench::load_average());
  dmremap::bench::print_lookups(sizes, quick ? 100 : 16'384, rounds);
  dmremap::bench::print_memory(filled);
  dmremap::bench::print_publishing(filled, quick ? 5 : 100, rounds);
  fmt::print("\nLoad average after: {}\n", dmremap::bench::load_average());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_lookup: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
