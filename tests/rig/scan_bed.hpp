// SPDX-License-Identifier: GPL-2.0-or-later
// A disk with one arm, a foreground workload and the scanner on it, as discrete events: what the
// foreground feels of the scan. Everything follows from a seed, and the foreground is the same with
// and without the scan but for what the disk makes of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.hpp"

namespace dmremap::rig {

// One request at a time. Where a request begins where the last one ended it costs its transfer
// alone; else a seek, which grows with the root of the distance, and a part of a revolution.
struct ArmDisk {
  SectorCount size{2'000'000'000};  // 1 TB
  double seek_min_ms = 1;
  double seek_max_ms = 16;
  double revolution_ms = 8.33;
  double mb_per_s = 150;
  // Serves what continues its last request before all else, as long as nothing has waited for two
  // seconds (openzfs #15270). Otherwise in order of arrival.
  bool prefers_streams = false;
};

struct Workload {
  std::string name;
  unsigned depth = 1;
  bool sequential = false;
  SectorCount request{8};
  // 0: never a pause. Else requests come in bursts of `burst` in the mean, with idle times of
  // `idle_s` in the mean between them, both distributed exponentially.
  double burst = 0;
  double idle_s = 0;
};

enum class Scanner : std::uint8_t {
  none,
  paced,     // Pace and ScanOrder, on time
  overdue,   // the same, behind its plan
  spread,    // small reads with 2 % of the disk's time, whatever the foreground does
  reckless,  // from the first sector to the last, two reads in flight, without Pace
};

struct BedResult {
  double mean_ms = 0;
  double p99_ms = 0;
  double worst_ms = 0;
  std::uint64_t requests = 0;
  std::uint64_t collisions = 0;
  double scanned_mib = 0;
  double device_share = 0;  // of all time, that the disk spent on the scan
};
[[nodiscard]] BedResult run_bed(const ArmDisk& disk, const Workload& load, Scanner scanner,
                                double seconds, std::uint64_t seed);

// A value over pairs of runs with the same seed, with its 95 % interval by Student's t.
struct PairedChange {
  double percent = 0;
  double low = 0;
  double high = 0;
};
struct BedComparison {
  PairedChange mean;
  PairedChange p99;
  double worst_ms = 0;        // of all runs with the scan
  double worst_alone_ms = 0;  // of all runs without it
  double scanned_mib_per_h = 0;
  double collisions_percent = 0;  // of all foreground requests
  double device_share = 0;
};
[[nodiscard]] BedComparison compare_beds(const ArmDisk& disk, const Workload& load, Scanner scanner,
                                         double seconds, unsigned pairs);

}  // namespace dmremap::rig
