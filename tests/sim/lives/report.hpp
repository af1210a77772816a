// SPDX-License-Identifier: GPL-2.0-or-later
// What happened in simulated lives, so that nobody trusts a run in which nothing did.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "format/event.hpp"
#include "format/extent.hpp"
#include "sim/faults.hpp"

namespace dmremap::sim {

struct Report {
  std::uint64_t seeds = 0;
  std::uint64_t lives = 0;
  std::uint64_t clean_stops = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t crashes_in_open = 0;  // of the kills and power cuts
  std::uint64_t refused_opens = 0;    // while the spare was failing
  std::uint64_t reads = 0;
  std::uint64_t read_errors = 0;
  std::uint64_t writes = 0;
  std::uint64_t write_errors = 0;
  std::uint64_t flushes = 0;
  std::uint64_t flush_errors = 0;
  std::uint64_t zeroes = 0;
  std::uint64_t discards = 0;
  std::uint64_t relocations = 0;
  std::uint64_t unremaps = 0;
  std::uint64_t imports = 0;
  std::uint64_t backfills = 0;
  std::uint64_t backfilled_sectors = 0;
  std::uint64_t scans = 0;         // ranges
  std::uint64_t scan_passes = 0;   // of all that the clients use, with nothing else going on
  std::uint64_t scanned_bad = 0;   // sectors that such a pass found
  std::uint64_t mended_slots = 0;  // of the metadata, while the set ran
  std::uint64_t steps = 0;
  FaultCounts main_faults;
  FaultCounts spare_faults;
  std::map<std::pair<format::State, format::State>, std::uint64_t> transitions;  // in sectors
  std::map<format::EventKind, std::uint64_t> events;
  std::uint64_t retired = 0;          // events with a spare sector retired
  std::uint64_t settled_failing = 0;  // calms that waited for failing sectors
  std::uint64_t failing_moved = 0;    // sectors that read again on the spare
  std::uint64_t slow_found = 0;       // sectors that became suspect because they were slow
  std::uint64_t others_shown = 0;     // disks that were not main, where main had been
  std::uint64_t expired = 0;          // requests answered by their deadline, not by a device
  std::uint64_t main_locks = 0;       // times that main took no writes
  std::uint64_t others_refused = 0;   // looks at one of them that had main's identifiers
  std::uint64_t spares_returned = 0;  // spares that came back while a life went on
  std::uint64_t spares_refused = 0;   // looks at one that was back and was not taken
  std::uint64_t copies_refused = 0;   // looks at an older copy of one that was away
  std::uint64_t growths = 0;          // times that a spare grew
  std::uint64_t evidence_kept = 0;    // entries that held after a life that was cut off

  [[nodiscard]] std::uint64_t requests() const {
    return reads + writes + flushes + zeroes + discards + relocations + unremaps + imports +
           backfills;
  }
  [[nodiscard]] std::uint64_t crashes() const { return kills + power_cuts; }
  Report& operator+=(const Report& other);

  // One line for each thing that never happened and should have, in enough seeds.
  [[nodiscard]] std::vector<std::string> missing() const;
  [[nodiscard]] std::string text() const;
};

}  // namespace dmremap::sim
