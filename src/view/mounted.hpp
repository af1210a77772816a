// SPDX-License-Identifier: GPL-2.0-or-later
// Which part of a set a mounted file system lies on.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/usage.hpp"

namespace dmremap::view {

struct Mounted {
  std::string mount_point;  // as the kernel has it
  std::string fs_type;
  SectorRange window;  // of the set's device
};

// `exports`: block devices and files at which the set is served; `size`: its own. Errors: usage (no
// mount point; not on this set); not_supported (a file system that does not say where its files
// are; LVM, encryption or RAID in between); io.
[[nodiscard]] Result<Mounted> find_mounted(const std::string& path,
                                           const std::vector<std::string>& exports,
                                           SectorCount size, const io::KernelViews& views = {});

}  // namespace dmremap::view
