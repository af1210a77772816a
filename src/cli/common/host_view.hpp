// SPDX-License-Identifier: GPL-2.0-or-later
// The state of a set on this host that no process serves: whether its process died, what is still
// mounted, and whether main can be there at all. Only /proc, /sys, the mount table and names are
// read: no device is opened, and no sleeping disk is woken.
#pragma once

#include <string>
#include <vector>

#include "control/runtime_dir.hpp"
#include "discovery/hints.hpp"
#include "format/content.hpp"
#include "set/status.hpp"

namespace dmremap::cli {

// Says that the set's process ended without a stop, what is still mounted, and what to do. Empty if
// no process did.
[[nodiscard]] std::string death_of(const control::RuntimeDir& runtime, const std::string& name);

// The mount points of the file systems on this block device, and on its partitions. None of a file.
[[nodiscard]] std::vector<std::string> mounts_on(const std::string& node);

// Why main cannot be here, in words: none of `paths`, where it was last seen, is there, and no
// block device has its size. Empty: it may be here.
[[nodiscard]] std::string absence_of_main(const std::vector<std::string>& paths, SectorCount size);

// Both of the above for a set as its metadata has it.
[[nodiscard]] set::HostView host_view(const control::RuntimeDir& runtime,
                                      const format::Identity& identity);

}  // namespace dmremap::cli
