// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a device or an image the way OpenMode asks. If that is refused, the error says why and
// names who uses it.
#pragma once

#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "io/file_device.hpp"

namespace dmremap::io {

struct OpenedStorage {
  FileDescriptor fd;
  FileDescriptor itself;  // the device at the path, where `fd` is the one that holds it
  bool is_block_device = false;
  bool direct = false;  // opened with O_DIRECT
  // The backing files or devices of a loop device that is held; they are held with it.
  std::vector<FileDescriptor> below;
};

// OpenMode::through may be /proc/self/fd/N, a descriptor of this process: that is shared, with what
// it holds. If the storage is in use but no user can be found, it waits up to 10 s: a process that
// was killed may not have released it yet. Errors as FileDevice::open.
Result<OpenedStorage> open_storage(const std::string& path, OpenMode mode);

}  // namespace dmremap::io
