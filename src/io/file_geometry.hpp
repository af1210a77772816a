// SPDX-License-Identifier: GPL-2.0-or-later
// The size and the blocks of an open file or block device, as the kernel reports them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "io/block_device.hpp"

namespace dmremap::io {

// `path` is for the message only.
Result<std::uint64_t> size_bytes(int fd, bool is_block_device, const std::string& path);
Result<Geometry> block_device_geometry(int fd, const std::string& path);
// The geometry of an image. FileDevice::open says how its blocks are chosen.
Result<Geometry> image_geometry(int fd, bool direct, const std::string& path);

// False if the file system accepts O_DIRECT but says that it cannot do it for this file. It then
// uses the page cache all the same (ext4 with data=journal, for example). Also false on tmpfs,
// which is the page cache: memory for its requests need not be aligned.
bool can_be_direct(int fd);

// Fails (block_size) if a device of `bytes` ends with less than a whole logical block.
Result<void> check_whole_blocks(std::uint64_t bytes, const Geometry& geometry, bool is_block_device,
                                const std::string& path);

// True if the kernel would have to write zeros over a range that is to be zeroed or punched,
// because the block device cannot do it by itself. False for images: their file systems refuse
// requests that they cannot do.
bool zeroes_by_writing(const std::string& path);

// True if the time to zero a range (BlockDevice::write_zeroes) does not grow with its length, as
// far as the kernel or the type of the file system says. False if neither says so.
bool zeroes_fast(const std::string& path);

}  // namespace dmremap::io
