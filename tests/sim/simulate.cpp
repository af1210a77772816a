// SPDX-License-Identifier: GPL-2.0-or-later
// `simulate`: lives of a set, by the thousand. Each seed runs in one of several processes, so that
// one that crashes names its seed like one that breaks a promise.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/simulation.hpp"

int main(int argc, char** argv) {
  using namespace dmremap::sim;
  std::uint64_t first = 1;
  std::uint64_t seeds = 100;
  double limit = 0;
  bool talk = false;
  CLI::App app{"Simulated lives of a set, each decided by its seed"};
  app.add_option("--seed", first, "the first seed");
  app.add_option("--seeds", seeds, "how many");
  app.add_option("--seconds", limit, "stop after so long");
  app.add_flag("--talk", talk, "say what happens");
  CLI11_PARSE(app, argc, argv);
  Report report;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const Verdict verdict = simulate(seed, talk);
    report += verdict.report;
    if (!verdict.failure.empty()) {
      fmt::print("seed {}: {}\n", seed, verdict.failure);
      return 1;
    }
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - start;
    if (limit > 0 && gone.count() > limit) break;
  }
  const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - start;
  fmt::print("{}{:.1f} s\n", report.text(), gone.count());
  for (const std::string& thing : report.missing()) fmt::print("never: {}\n", thing);
  return 0;
}
