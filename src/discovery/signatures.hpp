// SPDX-License-Identifier: GPL-2.0-or-later
// Finds out whether a device that is to become a spare holds something of somebody else.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// Returns in words and without repetition what lies on the device that somebody may still want:
// "ext4 file system", "GPT partition table", "LVM2_member", "linux_raid_member", "crypto_LUKS". The
// names and places of signatures are libblkid's; damaged superblocks count too. The list is empty
// only if all these places could be read and hold none. Error io if nothing was found and something
// could not be read. The device stays the caller's. Thread-safe, for different devices.
Result<std::vector<std::string>> signatures_on(const io::FileDevice& device);

}  // namespace dmremap::discovery
