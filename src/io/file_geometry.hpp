// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel says about the size and the blocks of an open file or block device.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "io/block_device.hpp"

namespace dmremap::io {

// `path` is for the message only.
Result<std::uint64_t> size_bytes(int fd, bool is_block_device, const std::string& path);
Result<Geometry> block_device_geometry(int fd, const std::string& path);
// See FileDevice::open for what an image's blocks are.
Result<Geometry> image_geometry(int fd, bool direct, const std::string& path);

// False where the file system takes O_DIRECT but says that this file cannot do it (it then goes
// through the page cache behind our back: ext4 with data=journal, say), and on tmpfs, which is the
// page cache: memory for its requests need not be aligned.
bool can_be_direct(int fd);

// Fails (block_size) if a device of `bytes` ends with less than a whole logical block.
Result<void> check_whole_blocks(std::uint64_t bytes, const Geometry& geometry, bool is_block_device,
                                const std::string& path);

// Whether the kernel would write zeros over a range that it is to zero or to punch a hole into,
// because the block device cannot do it by itself. False for images: their file systems refuse what
// they cannot do.
bool zeroes_by_writing(const std::string& path);

// Whether zeroing a range (BlockDevice::write_zeroes) takes no time that grows with it, as far as
// the kernel or the kind of file system says. False where nothing does.
bool zeroes_fast(const std::string& path);

}  // namespace dmremap::io
