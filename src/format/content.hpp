// SPDX-License-Identifier: GPL-2.0-or-later
// What one commit says about a set, in memory: its records (identity, configuration, health, and
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

// What identifies a device, as far as it could be learnt. Empty strings: not known. Longer texts
// are cut when stored: wwn, serial 64 bytes, model 48, part_uuid, fs_uuid 40, fs_type 16.
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
  // Where it was last seen. A hint to look there first, never identity.
  std::string path_hint;

  bool operator==(const Fingerprint&) const = default;
};

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

// What a field of the policy may hold, both ends included. Metadata may come from anybody's disk:
// what decodes must not make a start take minutes, nor gigabytes of memory.
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

// Policy. Defaults are those of a new set; no version before these ranges wrote anything else.
struct Configuration {
  std::uint32_t request_deadline_ms = 30'000;
  std::uint32_t lost_recheck_s = 3'600;
  std::uint32_t read_retries = 1;
  std::uint32_t probe_units = 8;

  bool operator==(const Configuration&) const = default;
};

// What changes all the time. Counters are over the life of the set.
struct Health {
  std::uint64_t main_read_errors = 0;
  std::uint64_t main_write_errors = 0;
  std::uint64_t spare_read_errors = 0;
  std::uint64_t spare_write_errors = 0;
  std::uint64_t remaps = 0;
  std::uint64_t starts = 0;
  std::uint64_t scrub_position = 0;
  std::uint64_t scrub_passes = 0;
  // Recorded by a clean stop, cleared by a start (promise 12): print of main's superblock area.
  bool clean = false;
  Sha256 main_print{};
  std::uint64_t next_event = 1;
  std::vector<Event> events;  // of the kinds of version 1, oldest first, at most kStoredEvents
  // Of later kinds, oldest first, at most kHistoryEvents: they lie in the section "history".
  std::vector<Event> later_events;

  bool operator==(const Health&) const = default;
};

// A section this version does not know and that may be ignored: carried along unchanged.
struct UnknownSection {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::vector<std::byte> bytes;

  bool operator==(const UnknownSection&) const = default;
};

// Everything but the table.
struct Records {
  Identity identity;
  Configuration configuration;
  Health health;
  // Optional sections. When there is no room for them beside the table, they are left out of what
  // is written: first the evidence, then the history, then the facts.
  std::optional<CopyRecord> copy;
  std::optional<RecordedFacts> facts;
  std::optional<Evidence> evidence;
  std::vector<UnknownSection> unknown;

  bool operator==(const Records&) const = default;
};

struct Content : Records {
  // Sorted by main sector, disjoint; every state but good and retired.
  std::vector<Extent> extents;
  // Retired spare sectors, sorted by spare sector, disjoint.
  std::vector<Extent> retired;

  bool operator==(const Content&) const = default;
};

}  // namespace dmremap::format
