// SPDX-License-Identifier: GPL-2.0-or-later
// Which part of a set a file system lies on.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "os/usage.hpp"

namespace dmremap::files {

struct Mounted {
  std::string mount_point;  // as the kernel has it; where nothing is mounted, the device
  std::string fs_type;      // as the kernel has it; where nothing is mounted, empty
  SectorRange window;       // of the set's device
  std::string device;       // where the file system can be read
  // Its driver does not say where files are: the device has to be read for it.
  bool by_device = false;

  [[nodiscard]] bool is_mounted() const { return !fs_type.empty(); }
};

// `path`: a mount point; or the set's device or image, or a partition of it, for a file system that
// is read there whether it is mounted or not. `exports`: block devices and files at which the set
// is served; `size`: its own. Errors: usage (no mount point; not on this set); not_supported (a
// file system that does not say where its files are; LVM, encryption or RAID in between); io.
[[nodiscard]] Result<Mounted> find_mounted(const std::string& path,
                                           const std::vector<std::string>& exports,
                                           SectorCount size, const os::KernelViews& views = {});

}  // namespace dmremap::files
