// SPDX-License-Identifier: GPL-2.0-or-later
// What main and the spare of a set are known by, beyond the fingerprints of the identity section:
// an optional section of a body, "facts".
//
// The section names the term of the opening that wrote it and counts in commits of that term alone.
// A program that does not know the section carries it along into its own commits, whose term is
// another one, so that facts which that program could not keep up to date are never believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dmremap::format {

// What a fact is about. The numbers are on disk. Values are compared only with values of the same
// kind, byte by byte.
enum class FactKind : std::uint8_t {
  // Names that the hardware gives a whole disk.
  naa = 1,          // SCSI and SATA: NAA designator, lower-case hex
  eui = 2,          // EUI-64, lower-case hex
  nvme_uuid = 3,    // UUID of an NVMe namespace
  nguid = 4,        // NGUID of an NVMe namespace
  nvme_legacy = 5,  // the kernel's own "nvme.VVVV-serial-model-nsid" where the firmware's ids lie
  serial = 6,       // serial number
  // Names that software gives a whole device.
  dm_uuid = 16,
  md_uuid = 17,
  // The place of a partition on its disk.
  partition_uuid = 24,
  partition_start = 25,  // first sector, decimal
  // An image file: the file system it lies on and the handle of the file there. A loop device has
  // the facts of what it is a view of, with its offset.
  image = 32,
  // Within one boot: boot id, and the disk sequence number of a block device, or file system,
  // inode and mount of a file.
  attachment = 40,
  // What lies on the device. `dd` copies all of it.
  table_uuid = 48,
  file_system_uuid = 49,
  file_system_label = 50,
  // Where it was. Hints.
  path = 64,
  port = 65,
  // Geometry that a user accepted although the set was made with another one.
  accepted_size = 80,           // sectors, decimal
  accepted_logical_block = 81,  // bytes, decimal
};
// "NAA id", "serial number": for messages. Empty for a number that is no kind.
[[nodiscard]] std::string_view name_of(FactKind kind);

struct Fact {
  FactKind kind = FactKind::path;
  std::string value;  // printable, not empty, at most kMaxFactBytes bytes

  auto operator<=>(const Fact&) const = default;
};

inline constexpr std::size_t kMaxFactBytes = 252;

struct RecordedFacts {
  std::vector<Fact> main;  // several of one kind: the device may show any of them
  std::vector<Fact> spare;
  // A user said which device main is, and it has nothing that is its own (--accept-main).
  bool main_has_no_identity = false;

  bool operator==(const RecordedFacts&) const = default;
};

inline constexpr std::uint16_t kRecordedFactsType = 6;
inline constexpr std::size_t kRecordedFactsBytes = 2048;

// `out` is zeroed and kRecordedFactsBytes long. Facts that do not fit are left out, the last ones
// of each list first; so the decisive ones come first.
void pack_recorded_facts(const RecordedFacts& facts, std::uint64_t term, std::span<std::byte> out);
// None: no such section, or of another term. Facts of kinds that are not known are kept.
[[nodiscard]] std::optional<RecordedFacts> unpack_recorded_facts(std::span<const std::byte> from,
                                                                 std::uint64_t term);

}  // namespace dmremap::format
