// SPDX-License-Identifier: GPL-2.0-or-later
// bench_scan [--pairs N] [--quick]: what the background scan costs the foreground of a disk with
// one arm, what is said of that, and how soon the scan finds errors, as Markdown tables. All of it
// in simulated time, from seeds. Fails if a bound of docs/health-scanning.md is not kept.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "measure.hpp"
#include "rig/felt_load.hpp"
#include "rig/scan_bed.hpp"
#include "rig/scan_faults.hpp"

namespace dmremap::bench {
namespace {

using rig::ArmDisk;
using rig::BedComparison;
using rig::PairedChange;
using rig::Scanner;
using rig::Workload;

unsigned missed = 0;

void check(bool kept, const std::string& bound) {
  if (kept) return;
  ++missed;
  fmt::print("\nMISSED: {}\n\n", bound);
}

std::string text(const PairedChange& change) {
  return fmt::format("{:+.2f} ({:+.2f} to {:+.2f})", change.percent, change.low, change.high);
}

// A bound of the mean and of the 99th percentile in percent, and of progress in MiB an hour.
struct Bounds {
  double felt = 0;
  double busy_progress = 0;
  double light_progress = 0;
};

void print_foreground(const std::string& title, const ArmDisk& disk, Scanner scanner,
                      const Bounds* bounds, unsigned pairs, double scale) {
  fmt::print("\n### {}\n\n", title);
  print_titles({"foreground", "mean, %", "p99, %", "worst, ms", "worst alone", "scanned, MiB/h",
                "collisions, %", "device time, %"});
  for (const bool light : {false, true}) {
    for (const bool sequential : {false, true}) {
      for (const unsigned depth : {1U, 2U, 32U}) {
        Workload load{fmt::format("{}, {}, depth {}", light ? "light" : "busy",
                                  sequential ? "sequential" : "random", depth),
                      depth,
                      sequential,
                      SectorCount{sequential ? 256U : 8U},
                      light ? 200.0 : 0,
                      light ? 20.0 : 0};
        const BedComparison it =
            compare_beds(disk, load, scanner, (light ? 7200 : 900) * scale, pairs);
        print_row({load.name, text(it.mean), text(it.p99), fmt::format("{:.0f}", it.worst_ms),
                   fmt::format("{:.0f}", it.worst_alone_ms),
                   fmt::format("{:.0f}", it.scanned_mib_per_h),
                   fmt::format("{:.3f}", it.collisions_percent),
                   fmt::format("{:.2f}", it.device_share * 100)});
        if (bounds == nullptr) continue;
        check(it.mean.percent <= bounds->felt && it.p99.percent <= bounds->felt,
              fmt::format("{}: within {} %", load.name, bounds->felt));
        const double progress = light ? bounds->light_progress : bounds->busy_progress;
        check(it.scanned_mib_per_h >= progress,
              fmt::format("{}: at least {} MiB/h", load.name, progress));
      }
    }
  }
}

void print_idle(double scale) {
  fmt::print("\n### A disk that nobody uses\n\n");
  print_titles({"disk", "MiB/s", "device time, %", "a pass, days"});
  for (const double terabytes : {1.0, 20.0}) {
    ArmDisk disk;
    disk.size = SectorCount::from_bytes(static_cast<std::uint64_t>(terabytes * 1e12));
    disk.mb_per_s = terabytes > 1 ? 250 : 150;
    const Workload nobody{"", 1, false, {8}, 1, 1e9};
    const double seconds = 600 * scale;
    const rig::BedResult it = run_bed(disk, nobody, Scanner::paced, seconds, 1);
    const double rate = it.scanned_mib / seconds;
    const double days = terabytes * 1e12 / kMiB / rate / 86'400;
    print_row({fmt::format("{} TB", terabytes), fmt::format("{:.0f}", rate),
               fmt::format("{:.0f}", it.device_share * 100), fmt::format("{:.1f}", days)});
    check(days <= 14, "a pass of a disk that nobody uses takes at most 14 days");
  }
}

// One request now and then earns next to nothing: what is read after each costs a collision, which
// is half an hour without any.
void print_trickle(double scale) {
  fmt::print("\n### A disk of 1 TB with one random request now and then\n\n");
  print_titles({"one request in", "the pass", "mean, %", "p99, %", "worst, ms", "worst alone",
                "scanned, MiB/h", "collisions an hour", "a pass, days"});
  for (const double every_s : {10.0, 60.0, 300.0}) {
    for (const Scanner scanner : {Scanner::paced, Scanner::overdue}) {
      const bool overdue = scanner == Scanner::overdue;
      const std::string name = fmt::format("{:.0f} s", every_s);
      const Workload load{"", 1, false, {8}, 1, every_s};
      const BedComparison it = compare_beds({}, load, scanner, 21'600 * scale, 20);
      print_row({name, overdue ? "overdue" : "on time", text(it.mean), text(it.p99),
                 fmt::format("{:.0f}", it.worst_ms), fmt::format("{:.0f}", it.worst_alone_ms),
                 fmt::format("{:.0f}", it.scanned_mib_per_h),
                 fmt::format("{:.1f}", it.collisions_percent / 100 * 3600 / every_s),
                 fmt::format("{:.1f}", 1e12 / kMiB / it.scanned_mib_per_h / 24)});
      check(it.mean.low <= (overdue ? 2 : 1), fmt::format("one request in {}: mean", name));
      check(it.scanned_mib_per_h >= 300, fmt::format("one request in {}: progress", name));
    }
  }
}

void print_felt() {
  fmt::print("\n### What `felt` says\n\n");
  print_titles({"of 2000 series of 100 pairs, the 95 % interval covers the truth in", "%"});
  const double coverage = rig::felt_coverage({}, 0);
  print_row({"no effect", fmt::format("{:.1f}", coverage)});
  check(coverage >= 93.5 && coverage <= 96.5, "coverage of 95 +- 1.5 %");
  const double biased = rig::felt_coverage({.bias = 1.08}, 0);
  print_row({"no effect, but what is measured with the scan is 8 % too long",
             fmt::format("{:.1f}", biased)});
  check(biased < 90, "a biased measurement is no interval");
  fmt::print("\n");
  print_titles({"pairs until the pace is lowered, 20 seeds", "median", "most"});
  const auto row = [](const std::string& name, const rig::FeltLoad& load, unsigned bound) {
    std::vector<unsigned> pairs;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      pairs.push_back(rig::pairs_until_lowered(load, seed));
    }
    std::ranges::sort(pairs);
    print_row({name, fmt::format("{}", pairs[10]), fmt::format("{}", pairs.back())});
    check(pairs.back() < bound, name);
  };
  row("3 % longer latencies", {.factor = 1.03}, 1500);
  row("10 % longer latencies", {.factor = 1.1}, 500);
  row("one request in 2000 waits for 2 s", {.stall_chance = 1.0 / 2000, .stall_ms = 2000}, 200);
}

std::vector<std::vector<rig::Fault>> faulty_disks(const rig::FaultModel& model, unsigned count) {
  sim::Dice dice(1);
  std::vector<std::vector<rig::Fault>> disks;
  for (unsigned i = 0; i < count; ++i) disks.push_back(faulty_disk(model, dice));
  return disks;
}

void print_facts(const rig::FaultFacts& facts) {
  print_titles({"of disks with errors", "published", "here"});
  const auto row = [](const std::string& name, const std::string& published, double here) {
    print_row({name, published, fmt::format("{:.0f} %", here * 100)});
  };
  row("fewer than 50 errors", "over 80 %", facts.disks_below_50);
  row("another error within 10 MB", "50 %, over 60 % for many", facts.another_within_10_mb);
  row("within a minute of the one before", "40 to 80 %", facts.within_a_minute);
  row("more errors within a month", "55 to 62 %", facts.more_within_a_month);
}

// How many times sooner the whole scanner finds errors.
double print_scanners(const rig::FaultModel& model,
                      const std::vector<std::vector<rig::Fault>>& disks) {
  print_titles({"scanner", "sooner, over errors", "sooner, over disks", "mean days",
                "sequential, days", "passes"});
  using rig::ReadOrder;
  const auto row = [&](const std::string& name, const rig::FaultScanner& scanner) {
    const rig::DetectionRatio it = compare_detection(disks, model, scanner);
    print_row({name, fmt::format("{:.2f}", it.by_error), fmt::format("{:.2f}", it.by_disk),
               fmt::format("{:.2f}", it.mean_days), fmt::format("{:.2f}", it.sequential_mean_days),
               fmt::format("{:.0f}", it.passes)});
    return it.by_error;
  };
  row("sequential", {ReadOrder::sequential, 14, false, false, false});
  row("staggered, ascending, surroundings", {ReadOrder::ascending_stagger, 14, true, false, false});
  row("staggered, bit-reversed, surroundings", {ReadOrder::scan_layout, 14, true, false, false});
  row("the same, and rechecks", {ReadOrder::scan_layout, 14, true, true, false});
  row("sequential, more frequent after trouble", {ReadOrder::sequential, 14, false, false, true});
  return row("the scanner: all of it", {});
}

void print_detection(unsigned count) {
  rig::FaultModel model;
  const auto disks = faulty_disks(model, count);
  const rig::FaultFacts facts = facts_of(disks);
  fmt::print(
      "\n### How soon errors are found\n\n{} disks of 1 TB with {:.0f} errors on average\n\n",
      count, facts.errors_a_disk);
  print_facts(facts);
  fmt::print("\nAgainst a sequential pass that reads as much on the same disk:\n\n");
  const double sooner = print_scanners(model, disks);
  check(sooner >= 1.4, "errors are found at least 1.4 times sooner");
  model.even = true;
  fmt::print("\nThe same with clusters that are spread evenly over 10 MB:\n\n");
  print_scanners(model, faulty_disks(model, count));
}

int run(int argc, char** argv) {
  CLI::App app("What the background scan costs, and how soon it finds errors");
  unsigned pairs = 20;
  bool quick = false;
  app.add_option("--pairs", pairs, "of runs with and without the scan")
      ->check(CLI::Range(20U, 1000U))
      ->capture_default_str();
  app.add_flag("--quick", quick, "shorter runs and fewer disks: does it still hold?");
  CLI11_PARSE(app, argc, argv);
  const double scale = quick ? 0.25 : 1;
  fmt::print("Change of the foreground with the scan against without, {} pairs, 95 % interval\n",
             pairs);
  ArmDisk streams;
  streams.prefers_streams = true;
  const Bounds on_time{1, 0, 1000};
  const Bounds overdue{2, 20, 2000};
  const Bounds starved{2, 5, 2000};
  print_foreground("On time, in order of arrival", {}, Scanner::paced, &on_time, pairs, scale);
  print_foreground("On time, a drive that prefers streams", streams, Scanner::paced, &on_time,
                   pairs, scale);
  print_foreground("Overdue, in order of arrival", {}, Scanner::overdue, &overdue, pairs, scale);
  print_foreground("Overdue, a drive that prefers streams", streams, Scanner::overdue, &starved,
                   pairs, scale);
  print_foreground("For comparison: small reads spread over 2 % of the time", {}, Scanner::spread,
                   nullptr, pairs, scale / 4);
  print_foreground("For comparison: two reads in flight, no pace, a drive that prefers streams",
                   streams, Scanner::reckless, nullptr, pairs, scale / 10);
  print_idle(scale);
  print_trickle(scale);
  print_felt();
  print_detection(quick ? 2000 : 10'000);
  fmt::print("\n{}\n", missed == 0 ? "All bounds are kept." : "Some bounds are missed.");
  return missed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace dmremap::bench

int main(int argc, char** argv) {
  try {
    return dmremap::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_scan: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
