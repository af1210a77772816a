// SPDX-License-Identifier: GPL-2.0-or-later
// Gathers what is known of a block device while udev handles an event of it.
#pragma once

#include <string>
#include <vector>

#include "boot/udev_answer.hpp"

namespace dmremap::boot {

// `node`: the device's. Names that /sys does not show come from the environment, in which udev
// passes what its earlier rules found. `shared` is filled with names that several present disks
// have, if the device would be main by its names. The device is read, eight sectors at a time, only
// if it is no main.
[[nodiscard]] UdevQuestion question_of(const std::string& node,
                                       const std::vector<claims::ClaimFile>& claims,
                                       discovery::SharedFacts& shared);

}  // namespace dmremap::boot
