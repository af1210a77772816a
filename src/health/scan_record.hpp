// SPDX-License-Identifier: GPL-2.0-or-later
// What the scanner must remember over a restart, and its bytes. Pure; decoding is total.
//
// Little-endian: version u32 (1), number of places u32, size of the disk in sectors u64, passes
// u64, step u64, elapsed u64, wall u64, begin of the pass u64 (its highest bit: a user asked for
// the pass, and the next one with that: at full speed), last trouble u64, last complete u64;
// then 16 bytes for each place: segment u32, rechecks u8, flags u8 (1: surroundings due), zero u16,
// due u64. At most 1096 bytes. Checksums are the business of the section that holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "health/scan_recheck.hpp"

namespace dmremap::health {

// Whether the pass that runs, or is about to, is one that a user asked for.
enum class PassWish : std::uint8_t { none, paced, full_speed };

struct ScanRecord {
  SectorCount size;                        // of the disk that this is about
  std::uint64_t passes = 0;                // finished ones
  std::uint64_t step = 0;                  // of ScanLayout; all before it are done
  std::uint64_t elapsed_s = 0;             // ScanClock's time,
  std::uint64_t wall_s = 0;                // and the wall clock when it was taken; 0: never
  std::uint64_t pass_began_s = 0;          // of ScanClock
  std::uint64_t last_trouble_s = 0;        // of ScanClock; 0: never
  std::uint64_t last_complete_wall_s = 0;  // for people; 0: never
  PassWish wish = PassWish::none;
  std::vector<RecheckPlace> places;

  bool operator==(const ScanRecord&) const = default;
};

inline constexpr std::size_t kScanRecordMaxBytes = 72 + 16 * kRecheckPlacesMax;

// At most kRecheckPlacesMax places are written.
[[nodiscard]] std::vector<std::byte> encode_scan_record(const ScanRecord& record);

// Any bytes give a record that is valid for a disk of this size. A disk that has grown or shrunk
// begins its pass anew, since the steps of another size are other places; the count of passes, the
// time, and the places that it still has stay. Bytes of another version, too few of them, and times
// that cannot be begin with nothing.
[[nodiscard]] ScanRecord decode_scan_record(std::span<const std::byte> bytes, SectorCount size);

}  // namespace dmremap::health
