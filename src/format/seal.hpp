// SPDX-License-Identifier: GPL-2.0-or-later
// The seal: the 512 bytes that make a slot valid. It names the commit in the body, the set and
// device that it belongs to, and its own place. It lies alone at the start of a 4 KiB block and is
// written as one block.
//
//   offset size
//        0    8  magic "dm-remap"
//        8    4  format version, 1
//       12    4  zero
//       16    8  feature bits, compatible: unknown ones may be ignored
//       24    8  feature bits, read-only compatible: unknown ones forbid writing
//       32    8  feature bits, incompatible: unknown ones forbid using the set
//       40   16  set UUID
//       56   16  device UUID (of the spare)
//       72    1  role: 1 = spare
//       73    1  spare index
//       74    1  copy, 0-7
//       75    1  slot, 0 = A, 1 = B
//       76    4  zero
//       80    8  byte offset of this seal on the device
//       88    8  size of the device at create, sectors
//       96   64  sectors of the eight copies
//      160    8  sequence
//      168    8  term
//      176   16  commit id
//      192   16  parent's commit id
//      208    8  timestamp, ns since the epoch
//      216    4  body blocks in use
//      220    4  CRC32C of those blocks
//      224  284  zero
//      508    4  CRC32C of the 508 bytes before
//
// Magic, version, feature words and the last four bytes keep their places in every later version,
// so that an older program can tell a newer set from damage.
#pragma once

#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "base/uuid.hpp"
#include "format/layout.hpp"

namespace dmremap::format {

inline constexpr std::size_t kSealBytes = 512;
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint8_t kRoleSpare = 1;

// Feature bits. This version knows none yet. Table blocks outside the slots and several spares are
// planned under incompatible bits.
struct Features {
  std::uint64_t compatible = 0;
  std::uint64_t read_only_compatible = 0;
  std::uint64_t incompatible = 0;

  bool operator==(const Features&) const = default;
};
inline constexpr Features kKnownFeatures{};

// The fields of a seal, as the table above describes them.
struct Seal {
  Features features;
  Uuid set_uuid;
  Uuid device_uuid;
  std::uint8_t role = kRoleSpare;
  std::uint8_t spare_index = 0;
  std::uint8_t copy = 0;
  std::uint8_t slot = 0;
  std::uint64_t byte_offset = 0;
  SectorCount device_size;
  CopyPositions positions{};
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  CommitId commit;
  CommitId parent;
  std::uint64_t wall_ns = 0;
  std::uint32_t body_blocks = 0;
  std::uint32_t body_crc = 0;

  bool operator==(const Seal&) const = default;
};

// Fills all of `block` with the seal and zeros. Requires block.size() == kBlockBytes.
void pack_seal(const Seal& seal, std::span<std::byte> block);

// What is known of a seal after its bytes were checked.
enum class SealCheck {
  ok,
  empty,         // the block is all zero
  corrupt,       // anything else that is no valid seal
  newer_format,  // checks, but has a version or incompatible features that this program does not
                 // know
};

// A seal as it was read. `has_magic` says that the block once was a seal, whether it checks or not.
struct SealReading {
  SealCheck check = SealCheck::corrupt;
  bool has_magic = false;
  Seal seal;  // valid only with `ok`
};

// Any 4096 bytes give a result. It does not check the place of the seal: belongs_at() does.
[[nodiscard]] SealReading unpack_seal(std::span<const std::byte> block);

// True if the seal names exactly this place, by address, index and slot.
[[nodiscard]] bool belongs_at(const Seal& seal, SlotAddress at, Sector slot_start);

}  // namespace dmremap::format
