// SPDX-License-Identifier: GPL-2.0-or-later
// The FUSE front end: one file, mounted over a regular file, that is the virtual disk.
//
// Low-level API, several threads, no page cache on either side (direct_io). A request is answered
// whole or with EIO, never short but at the end of the device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "remap/disk.hpp"

namespace dmremap::fuse {

struct Options {
  std::string mount_path;  // a regular file; made if absent
  bool read_only = false;
  // A hole punched in the file reads as zeros. False where main could only write them: then a hole
  // is refused with EOPNOTSUPP, and the kernel writes zeros where somebody asked for zeros.
  bool punch_holes = true;
  // Only a first try of a bad place occupies one, until the drive has failed it.
  unsigned threads = 16;
};

// Thread-safe.
class FuseFrontend {
 public:
  // Mounts, starts the threads and serves. `disk` outlives this object. Clears away a dead mount
  // on the same path first if nothing uses it; error leftovers_in_use if something does.
  static Result<std::unique_ptr<FuseFrontend>> start(remap::Disk& disk, const Options& options);
  // Whether FUSE is here and may be used. Errors: not_supported, permission.
  static Result<void> check_device();
  // Unmounts if still mounted, ends the threads, removes the mount file if it made it.
  virtual ~FuseFrontend() = default;

  [[nodiscard]] virtual const std::string& path() const = 0;
  // Open file handles now, the kernel's own (a loop device) included.
  [[nodiscard]] virtual unsigned open_handles() const = 0;
  // No more mount: fails with device_in_use, naming who, while someone has the file open; then
  // everything goes on.
  virtual Result<void> stop() = 0;
  // True once the file system was unmounted from outside.
  [[nodiscard]] virtual bool ended() const = 0;
};

}  // namespace dmremap::fuse
