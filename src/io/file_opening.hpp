// SPDX-License-Identifier: GPL-2.0-or-later
// Opening a device or an image the way OpenMode asks, or saying why not and who is in the way.
#pragma once

#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/file_device.hpp"

namespace dmremap::io {

struct OpenedStorage {
  FileDescriptor fd;
  bool is_block_device = false;
  bool direct = false;  // opened with O_DIRECT
  // What lies below a loop device that is held, held with it.
  std::vector<FileDescriptor> below;
};

// Waits up to 10 s for what is in use by nobody who can be found: a process that was killed may
// still be letting go of it. Errors as FileDevice::open.
Result<OpenedStorage> open_storage(const std::string& path, OpenMode mode);

}  // namespace dmremap::io
