// SPDX-License-Identifier: GPL-2.0-or-later
// Disks with latent sector errors that come in clusters, and how long a scanner takes to find them,
// against one that reads from the first sector to the last with as many reads.
//
// The scanner is ScanOrder's order and rules in closed form, so that ten thousand disks of a
// terabyte and three years each take seconds; ScanFaults.TheModelIsTheScanner compares it with
// ScanOrder itself on a small disk.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/dice.hpp"

namespace dmremap::rig {

struct Fault {
  double day = 0;
  std::uint32_t segment = 0;
};

// Each error but the first of a disk comes within a minute of the one before (0.6), or days later;
// it lies within 10 MB of an earlier one, or anywhere. How close is not published in numbers: each
// order of magnitude alike, so that most lie in the same segment, unless `even`. How many a disk
// has is heavy-tailed. What comes out is measured by facts_of() and compared with what was
// published.
struct FaultModel {
  std::uint32_t segments = 953'675;  // 1 TB
  double days = 970;                 // the 32 months of the study
  double near = 0.35;                // that the next one lies close to one before
  double within_minute = 0.6;
  double tail = 0.45;  // P(at least n errors) = n^-tail
  double most = 2000;
  bool even = false;     // close means anywhere within 10 MB, each distance alike
  double gap_days = 70;  // the mean of longer gaps, of a disk with few errors
};
// In the order of time; never empty.
[[nodiscard]] std::vector<Fault> faulty_disk(const FaultModel& model, sim::Dice& dice);

// Bairavasundaram, SIGMETRICS 2007: over 80 % of affected disks have fewer than 50 errors; another
// error lies within 10 MB with probability 0.5, over 0.6 for many models; 40 to 80 % come within a
// minute of the one before; 55 to 62 % of affected disks get more within a month.
struct FaultFacts {
  double disks_below_50 = 0;
  double another_within_10_mb = 0;
  double within_a_minute = 0;
  double more_within_a_month = 0;
  double errors_a_disk = 0;
};
[[nodiscard]] FaultFacts facts_of(const std::vector<std::vector<Fault>>& disks);

enum class ReadOrder : std::uint8_t { sequential, ascending_stagger, scan_layout };

// What is left out is to show what each part is worth.
struct FaultScanner {
  ReadOrder order = ReadOrder::scan_layout;
  double pass_days = 14;
  bool surroundings = true;
  bool rechecks = true;
  bool alert = true;
};

struct Detection {
  std::vector<double> delays_days;  // one for each fault
  double passes = 0;                // reads until the last day, in disks
};
[[nodiscard]] Detection detect(const std::vector<Fault>& faults, const FaultModel& model,
                               const FaultScanner& scanner);

// The time to detection of the sequential pass with as many reads on the same disk over the
// scanner's: over all errors of all disks, and over the means of disks.
struct DetectionRatio {
  double by_error = 0;
  double by_disk = 0;
  double mean_days = 0;             // of the scanner, over all errors
  double sequential_mean_days = 0;  // of the sequential pass
  double passes = 0;                // of the scanner on a disk, on average
};
[[nodiscard]] DetectionRatio compare_detection(const std::vector<std::vector<Fault>>& disks,
                                               const FaultModel& model,
                                               const FaultScanner& scanner);

}  // namespace dmremap::rig
