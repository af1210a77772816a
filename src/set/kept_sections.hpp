// SPDX-License-Identifier: GPL-2.0-or-later
// The sections of a commit's records that a running set changes in place: what the scanner
// remembers (format/scan_section.hpp) and measured (format/latency_section.hpp), and how the disk
// has been doing (format/disk_history_section.hpp). They lie among the sections that are carried
// along. Their room is taken before the engine starts, because the engine counts once how many
// entries fit the table beside them.
#pragma once

#include <cstddef>
#include <optional>

#include "format/content.hpp"
#include "format/disk_history_section.hpp"
#include "format/latency_section.hpp"
#include "format/policy_section.hpp"
#include "format/scan_section.hpp"

namespace dmremap::set {

// All that the scanner remembers.
struct ScanMemory {
  format::ScanSection scan;
  format::LatencySection latency;
};

// Adds those that are not there, empty, but for what a table of `entries` leaves no room for.
void reserve_kept_sections(format::Records& records, std::size_t entries);

[[nodiscard]] bool has_scan(const format::Records& records);
[[nodiscard]] bool has_disk_history(const format::Records& records);
// Empty if there is none, or if its bytes make no sense.
[[nodiscard]] std::optional<format::ScanSection> stored_scan(const format::Records& records);
[[nodiscard]] std::optional<format::DiskHistorySection> stored_disk_history(
    const format::Records& records);
[[nodiscard]] std::optional<format::LatencySection> stored_latency(const format::Records& records);
// Do nothing if there is none.
void store(format::Records& records, const format::ScanSection& scan);
void store(format::Records& records, const format::DiskHistorySection& disk);
void store(format::Records& records, const format::LatencySection& latency);
void store(format::Records& records, const ScanMemory& memory);

// What was chosen for the set, or the defaults. Its section is there only if something was chosen.
[[nodiscard]] format::PolicySection policy_of(const format::Records& records);
// Adds the section if it is not there, but for want of room beside a table of `entries`. Returns
// false then. Call it before the engine starts.
bool choose_policy(format::Records& records, std::size_t entries,
                   const format::PolicySection& policy);

}  // namespace dmremap::set
