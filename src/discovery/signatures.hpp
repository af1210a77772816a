// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "io/file_device.hpp"

namespace dmremap::discovery {

// What lies on a device that somebody may still want, in words and without repetition: "ext4 file
// system", "GPT partition table", "LVM2_member", "linux_raid_member", "crypto_LUKS". Damaged
// superblocks count. Empty only if the places where signatures lie could be read and hold none;
// error io where nothing was found and something could not be read. Any thread.
Result<std::vector<std::string>> signatures_on(const io::FileDevice& device);

}  // namespace dmremap::discovery
