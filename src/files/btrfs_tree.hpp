// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the trees of a mounted btrfs: its chunks, and the place of a compressed extent. Needs
// CAP_SYS_ADMIN.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "files/bad_areas.hpp"
#include "files/btrfs_chunks.hpp"

namespace dmremap::files {

// `fd`: anything open on the file system. Errors: not_supported (several devices, RAID),
// permission, io.
[[nodiscard]] Result<std::vector<BtrfsChunk>> read_btrfs_chunks(int fd);

// Logical addresses of the extent that holds byte `offset` of the file: FIEMAP gives a compressed
// one the length that it has unpacked. Errors: permission, io.
[[nodiscard]] Result<ByteRange> btrfs_extent_of(int fd, std::uint64_t inode, std::uint64_t offset);

}  // namespace dmremap::files
