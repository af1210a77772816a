// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/seal.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/assert.hpp"
#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/extent.hpp"

namespace dmremap::format {

namespace {

constexpr std::string_view kMagic = "dm-remap";

constexpr std::size_t kVersion = 8;
constexpr std::size_t kZero1 = 12;
constexpr std::size_t kCompatible = 16;
constexpr std::size_t kReadOnlyCompatible = 24;
constexpr std::size_t kIncompatible = 32;
constexpr std::size_t kSetUuid = 40;
constexpr std::size_t kDeviceUuid = 56;
constexpr std::size_t kRole = 72;
constexpr std::size_t kSpareIndex = 73;
constexpr std::size_t kCopy = 74;
constexpr std::size_t kSlot = 75;
constexpr std::size_t kZero2 = 76;
constexpr std::size_t kByteOffset = 80;
constexpr std::size_t kDeviceSize = 88;
constexpr std::size_t kPositions = 96;
constexpr std::size_t kSequence = 160;
constexpr std::size_t kTerm = 168;
constexpr std::size_t kCommit = 176;
constexpr std::size_t kParent = 192;
constexpr std::size_t kWall = 208;
constexpr std::size_t kBodyBlocksField = 216;
constexpr std::size_t kBodyCrc = 220;
constexpr std::size_t kZero3 = 224;
constexpr std::size_t kCrc = 508;
static_assert(kPositions + std::size_t{8} * kCopies == kSequence);
static_assert(kCrc + 4 == kSealBytes);

}  // namespace

void pack_seal(const Seal& seal, std::span<std::byte> block) {
  DMREMAP_ASSERT(block.size() == kBlockBytes);
  std::fill(block.begin(), block.end(), std::byte{0});
  put_text(block, 0, kMagic);
  store_le<std::uint32_t>(block, kVersion, kFormatVersion);
  store_le(block, kCompatible, seal.features.compatible);
  store_le(block, kReadOnlyCompatible, seal.features.read_only_compatible);
  store_le(block, kIncompatible, seal.features.incompatible);
  put_bytes(block, kSetUuid, seal.set_uuid.bytes);
  put_bytes(block, kDeviceUuid, seal.device_uuid.bytes);
  store_le(block, kRole, seal.role);
  store_le(block, kSpareIndex, seal.spare_index);
  store_le(block, kCopy, seal.copy);
  store_le(block, kSlot, seal.slot);
  store_le(block, kByteOffset, seal.byte_offset);
  store_le(block, kDeviceSize, seal.device_size.value);
  for (std::size_t i = 0; i < kCopies; ++i) {
    store_le(block, kPositions + 8 * i, seal.positions[i].value);
  }
  store_le(block, kSequence, seal.sequence);
  store_le(block, kTerm, seal.term);
  put_bytes(block, kCommit, seal.commit.bytes);
  put_bytes(block, kParent, seal.parent.bytes);
  store_le(block, kWall, seal.wall_ns);
  store_le(block, kBodyBlocksField, seal.body_blocks);
  store_le(block, kBodyCrc, seal.body_crc);
  store_le(block, kCrc, crc32c(block.first(kCrc)));
}

namespace {

Seal read_fields(std::span<const std::byte> block) {
  Seal seal;
  seal.features = {load_le<std::uint64_t>(block, kCompatible),
                   load_le<std::uint64_t>(block, kReadOnlyCompatible),
                   load_le<std::uint64_t>(block, kIncompatible)};
  get_bytes(block, kSetUuid, seal.set_uuid.bytes);
  get_bytes(block, kDeviceUuid, seal.device_uuid.bytes);
  seal.role = load_le<std::uint8_t>(block, kRole);
  seal.spare_index = load_le<std::uint8_t>(block, kSpareIndex);
  seal.copy = load_le<std::uint8_t>(block, kCopy);
  seal.slot = load_le<std::uint8_t>(block, kSlot);
  seal.byte_offset = load_le<std::uint64_t>(block, kByteOffset);
  seal.device_size = {load_le<std::uint64_t>(block, kDeviceSize)};
  for (std::size_t i = 0; i < kCopies; ++i) {
    seal.positions[i] = {load_le<std::uint64_t>(block, kPositions + 8 * i)};
  }
  seal.sequence = load_le<std::uint64_t>(block, kSequence);
  seal.term = load_le<std::uint64_t>(block, kTerm);
  get_bytes(block, kCommit, seal.commit.bytes);
  get_bytes(block, kParent, seal.parent.bytes);
  seal.wall_ns = load_le<std::uint64_t>(block, kWall);
  seal.body_blocks = load_le<std::uint32_t>(block, kBodyBlocksField);
  seal.body_crc = load_le<std::uint32_t>(block, kBodyCrc);
  return seal;
}

// Checks what a valid checksum does not promise: that the fields are within their limits, and that
// the copies lie where a device of this size has them.
bool plausible(const Seal& seal) {
  return seal.role == kRoleSpare && seal.spare_index == 0 && seal.copy < kCopies &&
         seal.slot < kSlots && seal.slot == column_of(seal.sequence) && seal.body_blocks >= 1 &&
         seal.body_blocks <= kBodyBlocks && seal.sequence >= 1 && seal.term >= 1 &&
         seal.device_size >= kMinSpareSize && seal.device_size.value <= kMaxSector + 1 &&
         seal.positions == copy_positions(seal.device_size);
}

}  // namespace

SealReading unpack_seal(std::span<const std::byte> block) {
  DMREMAP_ASSERT(block.size() == kBlockBytes);
  SealReading out;
  out.has_magic = std::memcmp(block.data(), kMagic.data(), kMagic.size()) == 0;
  if (all_zero(block)) {
    out.check = SealCheck::empty;
    return out;
  }
  if (!out.has_magic || load_le<std::uint32_t>(block, kCrc) != crc32c(block.first(kCrc))) {
    return out;
  }
  // Version and feature words are checked before everything else, because a later version may have
  // changed the meaning of any other field.
  const auto incompatible = load_le<std::uint64_t>(block, kIncompatible);
  if (load_le<std::uint32_t>(block, kVersion) != kFormatVersion ||
      (incompatible & ~kKnownFeatures.incompatible) != 0) {
    out.check = SealCheck::newer_format;
    return out;
  }
  const bool zeros =
      load_le<std::uint32_t>(block, kZero1) == 0 && load_le<std::uint32_t>(block, kZero2) == 0 &&
      all_zero(block.subspan(kZero3, kCrc - kZero3)) && all_zero(block.subspan(kSealBytes));
  const Seal seal = read_fields(block);
  if (!zeros || !plausible(seal)) return out;
  out.check = SealCheck::ok;
  out.seal = seal;
  return out;
}

bool belongs_at(const Seal& seal, SlotAddress at, Sector slot_start) {
  return seal.copy == at.copy && seal.slot == at.slot &&
         seal.byte_offset == slot_start.byte_offset();
}

}  // namespace dmremap::format
