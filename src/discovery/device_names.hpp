// SPDX-License-Identifier: GPL-2.0-or-later
// The names by which a device is told from any copy of it. Nothing is read from the device, so that
// a failing disk does not hold up whoever asks.
#pragma once

#include <vector>

#include "format/recorded_facts.hpp"

namespace dmremap::discovery {

// Returns the names of the disk or file that holds the bytes of an open device or image, where on
// it they begin if that is not at its start, and its attachment of this boot. A loop device has the
// names of what it shows. The UUID of a partition is not among them. What cannot be learnt is
// missing; there is no error. The descriptor stays the caller's. Thread-safe.
[[nodiscard]] std::vector<format::Fact> names_of_device(int fd);

}  // namespace dmremap::discovery
