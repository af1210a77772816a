// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/checksum.hpp"
#include "io/block_device.hpp"

namespace dmremap::discovery {

// Where file systems keep their first superblock: ext4 at 1 KiB, XFS and most others at 0, btrfs at
// 64 KiB.
inline constexpr std::uint64_t kPrintedBytes = 128 * kKiB;

// A print of the first kPrintedBytes of main (promise 12): equal contents give equal prints, and a
// unit that cannot be read counts as itself, whatever it held. Only reads. Any thread.
[[nodiscard]] Sha256 superblock_print(io::BlockDevice& main);

}  // namespace dmremap::discovery
