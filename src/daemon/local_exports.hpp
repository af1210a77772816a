// SPDX-License-Identifier: GPL-2.0-or-later
// Exports for programs on this machine that want a file or a device: a FUSE file, and a loop device
// over it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "daemon/exports.hpp"
#include "frontend/write_gate.hpp"
#include "remap/disk.hpp"

namespace dmremap::daemon {

struct LocalExportOptions {
  std::vector<ExportKind> kinds;  // not empty; without nbd and ublk
  std::string mount_path;
  std::string stable_link;  // empty: none
  bool read_only = false;
  bool punch_holes = true;                    // see fuse::FuseOptions
  std::shared_ptr<frontend::WriteGate> gate;  // of all front ends of the disk
};

// A FUSE file, and a loop device over it where one was asked for. Serves before it returns.
// `disk` outlives it. `ended`: the file was unmounted from outside.
Result<std::unique_ptr<Exports>> start_local_exports(remap::Disk& disk,
                                                     const LocalExportOptions& options);

// True if this process may use FUSE, which these exports need.
[[nodiscard]] bool can_mount();

}  // namespace dmremap::daemon
