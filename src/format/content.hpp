// SPDX-License-Identifier: GPL-2.0-or-later
// The content of one commit, in memory: the records of the set (identity, configuration, health and
// the optional sections) and its table. A running set keeps the table elsewhere (src/table), in a
// form that requests can search.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/units.hpp"
#include "base/uuid.hpp"
#include "format/copy_record.hpp"
#include "format/event.hpp"
#include "format/evidence.hpp"
#include "format/extent.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::format {

inline constexpr std::size_t kMaxNameBytes = 64;
inline constexpr std::size_t kMaxPathHintBytes = 256;

enum class DeviceKind : std::uint8_t { other = 0, disk = 1, partition = 2, image = 3 };
[[nodiscard]] std::string_view name_of(DeviceKind kind);

// The identifying facts of a device, as far as they could be learnt; an empty string means not
// known. `size` and the block sizes are its geometry, `wwn`, `serial` and `model` come from the
// hardware, `part_uuid` names its partition, and `fs_uuid` and `fs_type` the file system on it.
// Longer texts are cut when stored: wwn, serial 64 bytes, model 48, part_uuid, fs_uuid 40,
// fs_type 16.
struct Fingerprint {
  DeviceKind kind = DeviceKind::other;
  SectorCount size;
  std::uint32_t logical_block_bytes = 512;
  std::uint32_t physical_block_bytes = 512;
  std::string wwn;
  std::string serial;
  std::string model;
  std::string part_uuid;
  std::string fs_uuid;
  std::string fs_type;
  // The path where the device was last seen. It is a hint where to look first, never identity.
  std::string path_hint;

  bool operator==(const Fingerprint&) const = default;
};

// The set: its name, the UUIDs that `create` gave to it and to its two devices, the time of its
// creation, and the fingerprints of the devices at that time.
struct Identity {
  std::string name;
  Uuid set_uuid;
  Uuid main_uuid;
  Uuid spare_uuid;
  std::uint64_t created_ns = 0;
  Fingerprint main;
  Fingerprint spare;

  bool operator==(const Identity&) const = default;
};

// The values that a field of the policy may have, both ends included. Metadata may come from a disk
// of unknown origin, so a value that decodes must not make a start take minutes or gigabytes of
// memory.
struct PolicyRange {
  std::uint32_t least;
  std::uint32_t most;

  [[nodiscard]] constexpr bool contains(std::uint32_t value) const {
    return least <= value && value <= most;
  }
};
inline constexpr PolicyRange kRequestDeadlineMs{100, 600'000};
inline constexpr PolicyRange kLostRecheckS{1, 31'536'000};
inline constexpr PolicyRange kReadRetries{1, 16};
inline constexpr PolicyRange kProbeUnits{1, 64};

// The policy of a set: how long a request may take, how often lost sectors are read again, how
// often a failed read is repeated, and how many units a probe of main reads. The defaults are those
// of a new set; versions before these ranges wrote nothing else.
struct Configuration {
  std::uint32_t request_deadline_ms = 30'000;
  std::uint32_t lost_recheck_s = 3'600;
  std::uint32_t read_retries = 1;
  std::uint32_t probe_units = 8;

  bool operator==(const Configuration&) const = default;
};

// The state of a set that changes all the time: counters over the life of the set, how far a scrub
// has come, whether the last stop was clean, and the latest events.
struct Health {
  std::uint64_t main_read_errors = 0;
  std::uint64_t main_write_errors = 0;
  std::uint64_t spare_read_errors = 0;
  std::uint64_t spare_write_errors = 0;
  std::uint64_t remaps = 0;
  std::uint64_t starts = 0;
  std::uint64_t scrub_position = 0;
  std::uint64_t scrub_passes = 0;
  // A clean stop sets `clean` and records a print of main's superblock area; a start clears it
  // (promise 12).
  bool clean = false;
  Sha256 main_print{};
  std::uint64_t next_event = 1;
  // Events of the kinds of version 1, oldest first, at most kStoredEvents.
  std::vector<Event> events;
  // Events of later kinds, oldest first, at most kHistoryEvents. They lie in the section "history".
  std::vector<Event> later_events;

  bool operator==(const Health&) const = default;
};

// A section that this version does not know and may ignore. It is carried along unchanged.
struct UnknownSection {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::vector<std::byte> bytes;

  bool operator==(const UnknownSection&) const = default;
};

// Everything in a commit except its table.
struct Records {
  Identity identity;
  Configuration configuration;
  Health health;
  // Optional sections. Those for which there is no room beside the table are not written: the
  // evidence is left out first, then the history, then the facts.
  std::optional<CopyRecord> copy;
  std::optional<RecordedFacts> facts;
  std::optional<Evidence> evidence;
  // The size of the spare that is in use, if it was grown after `create`; larger than
  // identity.spare.size then (format/grown_spare.hpp).
  std::optional<SectorCount> grown_spare;
  std::vector<UnknownSection> unknown;

  bool operator==(const Records&) const = default;
};

// Data may lie on the spare up to here. The copies lie where identity.spare.size puts them.
[[nodiscard]] inline SectorCount usable_spare_size(const Records& records) {
  return records.grown_spare.value_or(records.identity.spare.size);
}

// The records together with the table.
struct Content : Records {
  // The extents of main in every state but good, sorted by main sector and disjoint.
  std::vector<Extent> extents;
  // The retired spare sectors, sorted by spare sector and disjoint.
  std::vector<Extent> retired;

  bool operator==(const Content&) const = default;
};

}  // namespace dmremap::format
