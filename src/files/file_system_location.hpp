// SPDX-License-Identifier: GPL-2.0-or-later
// The location of a file system: the part of a set that it lies on, and where it is mounted.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "os/usage.hpp"

namespace dmremap::files {

struct FileSystemLocation {
  std::string mount_point;  // as the kernel names it; if nothing is mounted, the device
  std::string fs_type;      // as the kernel names it; if nothing is mounted, empty
  SectorRange window;       // the part of the set's device that it lies on
  std::string device;       // the path at which it can be read
  // The driver does not say where files are, so the device has to be read for it.
  bool by_device = false;

  [[nodiscard]] bool is_mounted() const { return !fs_type.empty(); }
};

// Finds the file system that `path` names. `path` is a mount point, or the set's device or image or
// a partition of it, for a file system that is read there whether it is mounted or not. `exports`
// are the block devices and files at which the set is served; `size` is that of the set. Errors:
// usage (no mount point; not on this set); not_supported (a file system that does not say where its
// files are; LVM, encryption or RAID in between); io.
[[nodiscard]] Result<FileSystemLocation> locate_file_system(const std::string& path,
                                                            const std::vector<std::string>& exports,
                                                            SectorCount size,
                                                            const os::KernelViews& views = {});

}  // namespace dmremap::files
