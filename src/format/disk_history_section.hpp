// SPDX-License-Identifier: GPL-2.0-or-later
// What a set remembers of how its disk has been doing, as an optional section of a body: the year
// of daily counts on which the verdict rests (health/history.hpp), and whom smartctl answered for.
//
// It is carried along as a section that the format does not know, by this version too, like the
// scan's (scan_section.hpp), and counts in every commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dmremap::format {

inline constexpr std::uint16_t kDiskHistorySectionType = 11;
inline constexpr std::size_t kDiskHistorySectionBytes = 3904;
inline constexpr std::size_t kDiskHistoryBytes = 3776;
inline constexpr std::size_t kDriveSerialBytes = 64;

struct DiskHistorySection {
  // The bridge before main was reset when smartctl asked through it: it is not asked again.
  bool never_ask_drive = false;
  std::uint64_t drive_answered_s = 0;  // wall clock; 0: never
  // The day of running, counted from 1, on which a pass of the scan ended that had read all of main
  // and found nothing new; 0: none did.
  std::uint32_t clean_pass_day = 0;
  std::string drive_serial;        // of the last answer that was main's own; longer ones are cut
  std::vector<std::byte> history;  // at most kDiskHistoryBytes; health/history.hpp has its form

  bool operator==(const DiskHistorySection&) const = default;
};

// `out` is zeroed and kDiskHistorySectionBytes long.
void pack_disk_history(const DiskHistorySection& disk, std::span<std::byte> out);
// Empty if the bytes are no such section.
[[nodiscard]] std::optional<DiskHistorySection> unpack_disk_history(
    std::span<const std::byte> from);

}  // namespace dmremap::format
