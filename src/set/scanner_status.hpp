// SPDX-License-Identifier: GPL-2.0-or-later
// What the scanner of a running set says of itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.hpp"
#include "health/felt.hpp"

namespace dmremap::set {

struct ScanFound {              // in this run
  std::uint64_t lost = 0;       // sectors
  std::uint64_t recovered = 0;  // sectors
  std::uint64_t slow = 0;       // sectors
  std::uint64_t mended_slots = 0;
};

// Of the scan's reads of the usual length, in this run.
struct ReadLatency {
  double median_us = 0;
  double p99_us = 0;
};

struct ScannerStatus {
  std::string state = "idle";  // idle waiting running paused
  std::string waits_for;       // a word, in state waiting; else empty
  Sector position;             // of the last read
  SectorCount scanned;         // of the pass that runs, or of the last one
  std::uint64_t passes = 0;
  std::uint64_t last_complete_s = 0;   // the wall clock at the end of the last pass; 0: never
  std::uint64_t clean_passes = 0;      // of this run: those that found nothing new
  std::optional<ReadLatency> latency;  // empty: too few reads
  ScanFound found;
  health::FeltReport felt;  // what it costs others
};

}  // namespace dmremap::set
