// SPDX-License-Identifier: GPL-2.0-or-later
// The facts by which main and the spare of a set are recognised, beyond the fingerprints in the
// identity section. They are an optional section of a body, "facts".
//
// The section names the term of the opening that wrote it and is valid in commits of that term
// alone. A program that does not know the section carries it along into its own commits, whose term
// is another one, so that facts which that program could not keep up to date are never believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dmremap::format {

// The kind of a fact. The numbers are on disk. Values are compared only with values of the same
// kind, byte by byte.
enum class FactKind : std::uint8_t {
  // Names that the hardware gives a whole disk.
  naa = 1,        // SCSI and SATA: NAA designator, lower-case hex
  eui = 2,        // EUI-64, lower-case hex
  nvme_uuid = 3,  // UUID of an NVMe namespace
  nguid = 4,      // NGUID of an NVMe namespace
  // The kernel's own "nvme.VVVV-serial-model-nsid", used if the ids of the firmware are wrong.
  nvme_legacy = 5,
  serial = 6,  // serial number
  // Names that a USB bridge shows. They may be the disk's or the bridge's own, which nothing tells.
  bridge_id = 7,      // designator of SCSI page 83 with its type: "naa.5000...", "eui.0025..."
  bridge_serial = 8,  // serial number of SCSI page 80, or of the USB device
  // A name that was seen on two disks at once, and proves nothing ever since: the number of its
  // kind, a colon and its value.
  shared_name = 9,
  // Names that software gives a whole device.
  dm_uuid = 16,
  md_uuid = 17,
  // A disk that such a device lies on: the number of the kind of its name, a colon and the name, or
  // "-" if none of its disks has a name of its own.
  disk_below = 18,
  // The place of a partition on its disk.
  partition_uuid = 24,
  partition_start = 25,  // first sector, decimal
  // An image file: the file system that it lies on and the handle of the file there. A loop device
  // has the facts of its backing file, with its offset.
  image = 32,
  // Valid within one boot: the boot id with the disk sequence number of a block device, or with
  // file system, inode and mount of a file.
  attachment = 40,
  // Facts of the data on the device. `dd` copies all of them.
  table_uuid = 48,
  file_system_uuid = 49,
  file_system_label = 50,
  // Where the device was. These are hints only.
  path = 64,
  port = 65,
  // Geometry that a user accepted although the set was created with another one.
  accepted_size = 80,           // sectors, decimal
  accepted_logical_block = 81,  // bytes, decimal
  // The port of the device that a user chose among several that show the same names.
  accepted_port = 82,
};
// A name for messages, such as "NAA id" or "serial number". Empty for a number that is no kind.
[[nodiscard]] std::string_view name_of(FactKind kind);

struct Fact {
  FactKind kind = FactKind::path;
  std::string value;  // printable, not empty, at most kMaxFactBytes bytes

  auto operator<=>(const Fact&) const = default;
};

inline constexpr std::size_t kMaxFactBytes = 252;

// The facts of both devices. If there are several of one kind, the device may show any of them.
struct RecordedFacts {
  std::vector<Fact> main;
  std::vector<Fact> spare;
  // A user said which device main is, because main has no identity of its own (--accept-main).
  bool main_has_no_identity = false;

  bool operator==(const RecordedFacts&) const = default;
};

inline constexpr std::uint16_t kRecordedFactsType = 6;
inline constexpr std::size_t kRecordedFactsBytes = 2048;

// `out` is zeroed and kRecordedFactsBytes long. Facts that do not fit are left out, those at the
// end of each list first, so callers put the decisive ones first.
void pack_recorded_facts(const RecordedFacts& facts, std::uint64_t term, std::span<std::byte> out);
// Empty if the bytes are no such section, or one of another term. Facts of unknown kinds are kept.
[[nodiscard]] std::optional<RecordedFacts> unpack_recorded_facts(std::span<const std::byte> from,
                                                                 std::uint64_t term);

}  // namespace dmremap::format
