// SPDX-License-Identifier: GPL-2.0-or-later
// btrfs gives files logical addresses; its chunks say where on its device those are. Pure.
//
// Source of the item: struct btrfs_chunk in linux/btrfs_tree.h. Little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "files/bad_areas.hpp"

namespace dmremap::files {

struct BtrfsChunk {
  std::uint64_t logical = 0;
  std::uint64_t length = 0;
  std::vector<std::uint64_t> copies;  // where on the device: one, or both of DUP
};

// Parses `item` of the chunk tree at key offset `logical`. Any bytes give a chunk or an error.
// Errors: not_supported for a profile that spreads data over several places (RAID0 of several
// stripes, RAID5 ...); io if it is no such item.
[[nodiscard]] Result<BtrfsChunk> parse_btrfs_chunk(std::uint64_t logical,
                                                   std::span<const std::byte> item);

// Areas of the device at their logical addresses; an area is cut where chunks end. `outside` has
// the parts that lie in no chunk, at addresses of the device.
struct LogicalAreas {
  std::vector<BadArea> areas;
  std::vector<BadArea> outside;
};
[[nodiscard]] LogicalAreas to_logical(std::span<const BtrfsChunk> chunks,
                                      std::span<const BadArea> areas);

}  // namespace dmremap::files
