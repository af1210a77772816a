// SPDX-License-Identifier: GPL-2.0-or-later
// The target of a copy: opened, held and checked, so that nothing of value is overwritten without
// the user's consent.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/file_device.hpp"

namespace dmremap::transfer {

// The target that a user named, and what it must fit.
struct TargetOptions {
  std::string path;      // a block device, or a file that is made if absent
  SectorCount size;      // size of the set
  SectorCount unit{1};   // its logical block
  bool force = false;    // overwrite a file system, a partition table or a file
  bool resumed = false;  // it holds the beginning of this copy
  std::vector<std::string>
      apart_from;  // the devices of the set, and the paths at which it is served
};

// Opens it for writing, exclusively. Errors: same_device, device_too_small, block_size,
// spare_has_set, spare_has_data, file_exists, no_such_device; those of FileDevice::open. Nothing
// was written then.
[[nodiscard]] Result<std::unique_ptr<io::FileDevice>> open_target(const TargetOptions& options);

// True if the path still names the target that was opened, and a file still has its size.
[[nodiscard]] bool is_target(const std::string& path, const io::FileDevice& target);

// Tells one target from another until the next boot: 16 hex digits; zeros if it is not there.
[[nodiscard]] std::string target_identity(const std::string& path);

}  // namespace dmremap::transfer
