// SPDX-License-Identifier: GPL-2.0-or-later
// What a drive says of itself, from the answer of `smartctl --json`. Reading is total: any bytes
// give a reading, whose fields are empty where the answer has nothing that makes sense, and whose
// `reason` says why there is none at all.
//
// Of the attributes of ATA disks only four are read: 5, 187, 197 and 198, by their raw values. 188
// is never: Seagate packs three counters of 16 bits into it, and for years other tools called new
// disks failed by it; so it is with 1 and 7 (scrutiny #260, #382, #522, #687, #734, #748, #255).
//
// What the shell around it supplies:
//   - the standard output and the exit status of
//     `smartctl --json=c -n standby -x -l defects,255 DEVICE`, run at `create` and
//     once a day, with a deadline of its own (30 s); what was missing, hung or was killed it turns
//     into `no_answer`. With `-n standby` a disk that sleeps is not woken. After a bus reset, it
//     does not ask again through that bridge;
//   - what is known of the disk (DiskIdentity), and whether the answer is its own
//     (`belief_in`): nothing of an answer that is not believed may reach the history or the
//     verdict;
//   - from LBAs of the whole disk to sectors of main: less the partition's start, and clipped.
// Field names are those of smartmontools 7.2 to 7.5 (ataprint.cpp, scsiprint.cpp, nvmeprint.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace dmremap::health {

enum class SmartState : std::uint8_t {
  read,         // there is an answer, though perhaps with little in it
  asleep,       // the disk sleeps and was not woken
  no_answer,    // smartctl is missing, did not end in time, or could not ask the disk
  unreadable,   // its answer is no JSON, or not of smartctl
  unsupported,  // the disk, or the bridge before it, has no SMART
};
[[nodiscard]] std::string_view name_of(SmartState state);

// How long the drive tries to read or write one sector before it gives up (SCT ERC).
struct ErrorRecovery {
  bool enabled = false;  // false: as long as it likes
  std::uint32_t tenths_of_second = 0;

  bool operator==(const ErrorRecovery&) const = default;
};

struct SmartReading {
  SmartState state = SmartState::no_answer;
  std::string reason;              // why nothing was read; empty if `state` is `read`
  std::vector<std::string> notes;  // what was left out of an answer, and why

  // Who answered.
  std::string model;
  std::string serial;
  std::string wwn;  // hexadecimal, without a prefix
  std::optional<std::uint64_t> capacity_bytes;
  std::optional<bool> rotational;

  // The drive's own word; false: it expects to fail.
  std::optional<bool> passed;
  // ATA 5, 187, 197, 198; of SCSI the grown defects, uncorrected errors and pending defects.
  std::optional<std::uint64_t> reallocated;
  std::optional<std::uint64_t> reported;
  std::optional<std::uint64_t> pending;
  std::optional<std::uint64_t> offline;
  // NVMe.
  std::optional<std::uint64_t> critical_warning;  // bits, see CriticalWarning
  std::optional<std::uint64_t> media_errors;
  std::optional<std::uint64_t> available_spare;            // percent
  std::optional<std::uint64_t> available_spare_threshold;  // percent
  std::optional<std::uint64_t> percentage_used;

  std::optional<ErrorRecovery> read_recovery;
  std::optional<ErrorRecovery> write_recovery;

  // Sectors of 512 bytes of the whole disk that the drive's own logs name (ATA and SCSI pending
  // defects, SCSI background scans): places to look at. Sorted, disjoint, at most kDefectsMost.
  std::vector<SectorRange> defects;

  bool operator==(const SmartReading&) const = default;
};

inline constexpr std::size_t kDefectsMost = 4096;

// Bits of an NVMe critical warning (NVMe Base Specification 2.0, figure 207).
struct CriticalWarning {
  static constexpr std::uint64_t kSpareLow = 1U << 0U;
  static constexpr std::uint64_t kTemperature = 1U << 1U;
  static constexpr std::uint64_t kUnreliable = 1U << 2U;
  static constexpr std::uint64_t kReadOnly = 1U << 3U;
  static constexpr std::uint64_t kBackupFailed = 1U << 4U;
};

// `exit_status` is smartctl's bit mask. Never throws.
[[nodiscard]] SmartReading read_smart(std::string_view output, unsigned exit_status);

// What is known of the disk that was asked, from elsewhere; an empty field is not known.
struct DiskIdentity {
  std::string model;
  std::string serial;
  std::string wwn;
  std::uint64_t capacity_bytes = 0;  // of the whole disk; 0: not known
  bool behind_usb = false;           // `serial` and `model` may be those of the bridge
  bool alone_behind_bridge = false;  // no other disk hangs on the same USB device
  std::string earlier_serial;        // by an earlier believed answer
};

enum class Belief : std::uint8_t {
  same,      // the answer is of the disk that was asked
  other,     // it is of another one
  unproven,  // which disk answered cannot be told: not believed
};

struct BeliefReason {
  Belief belief = Belief::unproven;
  std::string reason;  // for people; empty if `same`
};

// Whether the answer is of this disk. USB enclosures answer for another bay, and show one serial
// number for all; a different capacity, WWN or earlier serial is another disk, and no fact in
// common is no proof.
[[nodiscard]] BeliefReason belief_in(const SmartReading& reading, const DiskIdentity& disk);

}  // namespace dmremap::health
