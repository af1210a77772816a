// SPDX-License-Identifier: GPL-2.0-or-later
// Data handed from one process to another as a file in memory (memfd_create(2)), by its descriptor.
//
// The receiver must not trust the sender: any file may come, on a server that hangs or of a size
// that changes. Only a file in memory can be sealed, and one that is sealed against shrinking and
// writing stays as it is. It is copied with pread(2), never mapped: a mapping of a file that is cut
// short kills the process that touches it (SIGBUS).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

// Makes a file in memory with `data` that no process can change any more.
[[nodiscard]] Result<FileDescriptor> seal(std::span<const std::byte> data);

// Reads all of such a file, which must have this size. Error protocol: it is not a file in memory,
// is not sealed, or has another size; nothing was read then.
[[nodiscard]] Result<std::vector<std::byte>> read_sealed(int fd, std::size_t bytes);

}  // namespace dmremap::os
