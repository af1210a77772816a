// SPDX-License-Identifier: GPL-2.0-or-later
// What the scanner remembers over a restart, as an optional section of a body.
//
// It is carried along as a section that the format does not know, by this version too: so it keeps
// its room beside the table, and whoever runs the set puts it there when the set is opened, and
// changes it in place (set/kept_sections.hpp). It counts in every commit: what was scanned by an
// earlier run was scanned, and a pause holds until it is ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace dmremap::format {

inline constexpr std::uint16_t kScanSectionType = 10;
inline constexpr std::size_t kScanSectionBytes = 1152;
inline constexpr std::size_t kScanRecordBytes = 1096;
inline constexpr std::uint16_t kScanDayMinutes = 1440;

struct ScanSection {
  bool paused = false;
  std::uint64_t rate = 0;  // bytes a second; 0: no limit
  // Of the day, in minutes of local time. Never equal.
  std::uint16_t window_from = 0;  // less than kScanDayMinutes
  std::uint16_t window_to = kScanDayMinutes;
  std::vector<std::byte> record;  // at most kScanRecordBytes; health/scan_record.hpp has its form

  bool operator==(const ScanSection&) const = default;
};

// `out` is zeroed and kScanSectionBytes long.
void pack_scan_section(const ScanSection& scan, std::span<std::byte> out);
// Empty if the bytes are no such section.
[[nodiscard]] std::optional<ScanSection> unpack_scan_section(std::span<const std::byte> from);

}  // namespace dmremap::format
