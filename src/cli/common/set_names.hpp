// SPDX-License-Identifier: GPL-2.0-or-later
// How people name a set. Every verb that takes a set takes its name, its UUID, the first digits of
// its UUID, /dev/dm-remap/NAME, and the node or file at which it is served; this is the one place
// that tells which set is meant.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::cli {

// A set that this host has made or served, or that runs now.
struct NamedSet {
  std::string name;
  std::optional<Uuid> uuid;  // empty if a hint of an earlier version does not say
};

// Sorted by name. No device is looked at.
[[nodiscard]] std::vector<NamedSet> named_sets(const control::RuntimeDir& runtime);

// The name of the set that is meant by a word without '/'. A name goes before a UUID. A word that
// fits none of these sets is returned as it is: the set may be on a disk that was never used here.
// Error usage: the first digits of several UUIDs. Pure.
[[nodiscard]] Result<std::string> name_meant(const std::string& word,
                                             const std::vector<NamedSet>& sets);

// The name of the set that is served at this path, running or dead, as far as the system can tell
// without asking the sets; empty if there is none.
[[nodiscard]] std::optional<std::string> set_served_at(const control::RuntimeDir& runtime,
                                                       const std::string& path);

// The name of the set that is meant, by a word or a path. Error usage: as name_meant; a path at
// which no set is served. A name may be written as in the name of its unit, "my\x2dset".
[[nodiscard]] Result<std::string> resolve_set_name(const control::RuntimeDir& runtime,
                                                   const std::string& text);
// The same for the runtime directory of the environment. Without one, what is given.
[[nodiscard]] Result<std::string> resolve_set_name(const std::string& given);

}  // namespace dmremap::cli
