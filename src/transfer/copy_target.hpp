// SPDX-License-Identifier: GPL-2.0-or-later
// What a copy is written to, held and checked, so that nothing of value is overwritten unasked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/file_device.hpp"

namespace dmremap::transfer {

struct TargetOptions {
  std::string path;                     // a block device, or a file, made if it is not there
  SectorCount size;                     // of the set
  SectorCount unit{1};                  // its logical block
  bool force = false;                   // over a file system, a partition table, a file
  bool resumed = false;                 // what lies there is the beginning of this copy
  std::vector<std::string> apart_from;  // what the set is made of, and where it is served
};

// Opens it for writing, exclusively. Errors: same_device, device_too_small, block_size,
// spare_has_set, spare_has_data, file_exists, no_such_device; those of FileDevice::open. Nothing
// was written then.
[[nodiscard]] Result<std::unique_ptr<io::FileDevice>> open_target(const TargetOptions& options);

// Whether the path still names what was opened there, and a file still has its size.
[[nodiscard]] bool is_target(const std::string& path, const io::FileDevice& target);

// Tells one target from another until the next boot: 16 hex digits; zeros if it is not there.
[[nodiscard]] std::string target_identity(const std::string& path);

}  // namespace dmremap::transfer
