// SPDX-License-Identifier: GPL-2.0-or-later
// forecast-calibration [--disks N] [--seed S]: prints how well forecast and verdict do on simulated
// disks, as docs/health-verdict.md quotes it. Fails if the forecast does not keep what it states,
// or if one that always says the base rate passes the same check.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "calibration.hpp"
#include "verdict_trial.hpp"

using namespace dmremap::health;
using namespace dmremap::health::calibration;

namespace {

std::string_view kind_of(Source source) {
  if (source == Source::test) return "Test";
  return source == Source::spots ? "Second test" : "Development";
}

void print_row(const Coverage& one) {
  fmt::print("| {:<30} | {:>7} | {:>5.1f} | {:>5.1f} | {:>5.1f} | {:>4} |\n", one.disks, one.count,
             100 * one.covered(),
             100 * static_cast<double>(one.too_early) / static_cast<double>(one.count),
             100 * static_cast<double>(one.too_late) / static_cast<double>(one.count),
             one.width > 0 ? fmt::format("{:.2f}", one.width) : "-");
}

void print_calibration(std::string_view title, const Calibration& calibration) {
  fmt::print("\n{}\n\n", title);
  fmt::print("| disks | number | covered, % | sooner, % | later, % | decades wide |\n");
  fmt::print("|---|---|---|---|---|---|\n");
  print_row(calibration.all);
  for (const Coverage& one : calibration.strata) print_row(one);
  fmt::print("\nInterval score {:.2f}, of the base rate {:.2f}.\n", calibration.score,
             calibration.base_rate_score);
}

// True if nothing is wrong with it.
bool print_check(const Calibration& calibration) {
  const auto found = failures(calibration);
  for (const std::string& one : found) fmt::print("Fails: {}.\n", one);
  if (found.empty()) fmt::print("Passes.\n");
  return found.empty();
}

void print_trial(const VerdictTrial& trial) {
  const auto percent = [](double share) { return 100 * share; };
  fmt::print("\nThe verdict over a fleet of {} disks in a year: {} fail, {} of them with signs\n\n",
             trial.disks, trial.failures, trial.failures_with_signs);
  fmt::print(
      "| at least | disks | precision, % | recall, % | of those with signs, % | lead, days: "
      "quarter, median, three quarters |\n|---|---|---|---|---|---|\n");
  const auto row = [&](Verdict verdict, const Alarms& it) {
    fmt::print("| {:<12} | {:>6} | {:>5.1f} | {:>5.1f} | {:>5.1f} | {:.0f}, {:.0f}, {:.0f} |\n",
               name_of(verdict), it.alarms, percent(it.precision()), percent(trial.recall(it)),
               percent(trial.recall_with_signs(it)), it.lead_days_quarter, it.lead_days_median,
               it.lead_days_three_quarters);
  };
  row(Verdict::watch, trial.watch);
  row(Verdict::replace_soon, trial.replace_soon);
  row(Verdict::replace_now, trial.replace_now);
}

int run(int argc, char** argv) {
  unsigned disks = 100'000;
  std::uint64_t seed = 1;
  CLI::App app("How well forecast and verdict do on simulated disks.");
  app.add_option("--disks", disks, "simulated disks for each source")
      ->check(CLI::Range(1000, 10'000'000));
  app.add_option("--seed", seed, "of the simulation");
  CLI11_PARSE(app, argc, argv);

  Random random(seed);
  bool good = true;
  for (const Source source :
       {Source::test, Source::spots, Source::regimes, Source::renewals, Source::wandering}) {
    const std::string title = fmt::format(
        "{} source \"{}\" ({:.0f} % have more errors within 30 days of the first)", kind_of(source),
        name_of(source), 100 * share_with_more(source, 30, disks / 10 + 1, random));
    const Calibration calibration = calibrate(source, forecast, disks, seed);
    print_calibration(title, calibration);
    if (source == Source::test || source == Source::spots) good = print_check(calibration) && good;
  }
  const Calibration always =
      calibrate(Source::test, base_rate(Source::test, disks, seed + 1), disks, seed);
  print_calibration("Always the base rate, on the test source", always);
  const bool base_rate_passes = print_check(always);
  print_trial(try_verdict(disks, seed));
  fmt::print("\n{}\n", good ? "The forecast keeps what it states." : "THE FORECAST FAILS.");
  if (base_rate_passes) fmt::print("THE CHECK LETS THE BASE RATE PASS.\n");
  std::fflush(stdout);
  return good && !base_rate_passes ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "forecast-calibration: %s\n", error.what());
    return 1;
  }
}
