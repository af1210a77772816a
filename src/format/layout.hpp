// SPDX-License-Identifier: GPL-2.0-or-later
// The layout of the metadata on a spare: eight copies of two slots, each of a seal and a body.
//
//   copy (1024 sectors)  = slot A (256 KiB) + slot B (256 KiB)
//   slot                 = seal block (4 KiB, of which 512 bytes are the seal) + 63 body blocks
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace dmremap::format {

inline constexpr std::size_t kBlockBytes = 4096;
inline constexpr unsigned kCopies = 8;
inline constexpr unsigned kNearCopies = 5;
inline constexpr unsigned kFarCopies = 3;
inline constexpr unsigned kSlots = 2;

inline constexpr SectorCount kCopySectors{1024};
inline constexpr SectorCount kSlotSectors{512};
inline constexpr SectorCount kBlockSectors{8};
inline constexpr std::size_t kSlotBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kBodyBlocks = 63;
inline constexpr std::size_t kBodyBytes = kBodyBlocks * kBlockBytes;

inline constexpr std::array<Sector, kNearCopies> kNearPositions{
    Sector{0}, Sector{1024}, Sector{2048}, Sector{4096}, Sector{8192}};
// The first sector after the near copies.
inline constexpr Sector kNearEnd{9216};
inline constexpr SectorCount kMinSpareSize{32768};  // 16 MiB

using CopyPositions = std::array<Sector, kCopies>;

// Near copies first, then the far ones: evenly spaced from kNearEnd to the end, aligned down to
// 2048 sectors, the last within 4096 sectors of the end. Requires size >= kMinSpareSize.
[[nodiscard]] CopyPositions copy_positions(SectorCount spare_size);

struct SlotAddress {
  unsigned copy = 0;  // 0-7
  unsigned slot = 0;  // 0 = A, 1 = B
};

// "A" or "B": the name of a slot, and of the column of all such slots.
[[nodiscard]] constexpr std::string_view slot_name(unsigned slot) {
  return slot == 0 ? "A" : "B";
}

[[nodiscard]] inline Sector slot_sector(const CopyPositions& positions, SlotAddress at) {
  return positions[at.copy] + SectorCount{at.slot * kSlotSectors.value};
}
[[nodiscard]] inline Sector body_sector(const CopyPositions& positions, SlotAddress at) {
  return slot_sector(positions, at) + kBlockSectors;
}

// Commit n lives in the column n mod 2.
[[nodiscard]] inline unsigned column_of(std::uint64_t sequence) {
  return static_cast<unsigned>(sequence % 2);
}

// The areas of the spare that hold the copies: never allocated to data. Sorted.
[[nodiscard]] std::vector<SectorRange> reserved_ranges(SectorCount spare_size);

// The rest is about a spare that was made with `made` sectors and has grown to be in use up to
// `used`.

// Where its last copy would lie had it been made with `used` sectors. Signposts lie there
// (metadata/signpost.hpp), never data. Empty if the last copy itself lies there.
[[nodiscard]] SectorRange signpost_area(SectorCount made, SectorCount used);
// True if the area lies behind all that was in use when the spare was made. Of another size no
// version makes a commit.
[[nodiscard]] bool is_grown_size(SectorCount made, SectorCount used);
// As reserved_ranges() above, with the area of the signposts.
[[nodiscard]] std::vector<SectorRange> reserved_ranges(SectorCount made, SectorCount used);
// The largest size up to which a spare that is in use up to `used` may grow on a device of
// `available` sectors: in whole blocks of 4 KiB, and so that the signposts lie on no sector that is
// in use. It is not larger than `used` if there is no such size.
[[nodiscard]] SectorCount largest_growth(SectorCount used, SectorCount available);

}  // namespace dmremap::format
