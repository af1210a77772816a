// SPDX-License-Identifier: GPL-2.0-or-later
// What this host shows of a set that no process serves: whether one died, what still stands of it,
// and whether main can be there at all. Only /proc, /sys, the mount table and names are looked at:
// no device is opened and nothing that sleeps is woken.
#pragma once

#include <string>
#include <vector>

#include "control/runtime_dir.hpp"
#include "discovery/hints.hpp"
#include "format/content.hpp"
#include "set/status.hpp"

namespace dmremap::cli {

// How the set's process ended without a stop, what is still mounted of it, and what to do; empty if
// none did.
[[nodiscard]] std::string death_of(const control::RuntimeDir& runtime, const std::string& name);

// Why main cannot be here, in words: none of `paths`, where it was last seen, is there, and no
// block device has its size. Empty: it may be here.
[[nodiscard]] std::string absence_of_main(const std::vector<std::string>& paths, SectorCount size);

// Both of the above for a set as its metadata has it.
[[nodiscard]] set::HostView host_view(const control::RuntimeDir& runtime,
                                      const format::Identity& identity);

}  // namespace dmremap::cli
