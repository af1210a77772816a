// SPDX-License-Identifier: GPL-2.0-or-later
// Recognises an image file whatever path leads to it, and one attachment of a disk within a boot.
#pragma once

#include <string>
#include <vector>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Returns the names of the open regular file `fd`, which stays the caller's. `suffix` is appended
// to each value (for a loop device, its offset in the file). A name that cannot be learnt is
// missing; there is no error.
//   image       the disk and the UUID of the file system it lies on, and the file handle there
//               (name_to_handle_at: inode, generation, subvolume). Missing where the file system
//               has no UUID or its disk no name: a copy of the whole file system would look alike.
//   attachment  within this boot: device, inode, generation, and the mount of a file system that
//               has no device of its own (FUSE, tmpfs)
// Thread-safe.
[[nodiscard]] std::vector<format::Fact> file_names(int fd, const std::string& suffix = {});

// Returns the disk sequence number of the open block device `fd` with the id of this boot. The
// kernel gives every attachment of a disk a new one (BLKGETDISKSEQ, Linux 5.15). Empty if the
// kernel has none. Thread-safe.
[[nodiscard]] std::string attachment_of_disk(int fd);

}  // namespace dmremap::discovery
