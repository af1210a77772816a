// SPDX-License-Identifier: GPL-2.0-or-later
// What an image file is known by, whatever path leads to it.
#pragma once

#include <string>
#include <vector>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Of an open regular file, `suffix` appended to each value (an offset, for a loop device).
//   image       the disk and the UUID of the file system it lies on, and the file handle there
//               (name_to_handle_at: inode, generation, subvolume). Missing where the file system
//               has no UUID or its disk no name: a copy of the whole file system would look alike.
//   attachment  within this boot: device, inode, generation, and the mount of a file system that
//               has no device of its own (FUSE, tmpfs)
// Any thread.
[[nodiscard]] std::vector<format::Fact> file_names(int fd, const std::string& suffix = {});

// Of an open block device within this boot: the disk sequence number, which every attachment of a
// disk gets anew (Linux 5.15). Empty: the kernel has none.
[[nodiscard]] std::string attachment_of_disk(int fd);

}  // namespace dmremap::discovery
