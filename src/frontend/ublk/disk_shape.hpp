// SPDX-License-Identifier: GPL-2.0-or-later
// What a ublk disk over a set looks like to the kernel: as main does.
#pragma once

#include <string>

#include "io/block_device.hpp"
#include "os/usage.hpp"
#include "ublk/disk_parameters.hpp"

namespace dmremap::frontend {

// Of a main at `main_path`, which is served with this geometry. For a partition its disk's limits
// count; an image has none of its own, and holes in it are the file system's business.
//
// A volatile cache is claimed whatever main has: the kernel sends flushes only to a disk that has
// one, and the spare, where some of the data is, may have one even if main has none. A main without
// one does a flush in no time.
[[nodiscard]] ublk::DiskParameters disk_shape(const std::string& main_path,
                                              const io::Geometry& geometry, bool read_only,
                                              const os::KernelViews& views = {});

}  // namespace dmremap::frontend
