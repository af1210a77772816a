// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a device belongs to a set already. A second set over one main would serve what the first
// one's spare has newer versions of.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "discovery/hints.hpp"
#include "discovery/identity.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// Looks at the device itself, at every spare that can be found, and at what is remembered of sets
// whose spare cannot. `discard`: the user gives up that set. `overwritten`: the new
// spare; whether a set on it may be given up was asked before. Error main_has_set, naming the set
// and its spare. Only reads.
[[nodiscard]] Result<void> check_in_no_set(io::FileDevice& main, const DeviceFacts& facts,
                                           const Hints& known, const std::optional<Uuid>& discard,
                                           const std::string& overwritten);

}  // namespace dmremap::discovery
