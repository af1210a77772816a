// SPDX-License-Identifier: GPL-2.0-or-later
// Looks at present devices for what claims are about. Nothing is read from them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "claims/device_role.hpp"

namespace dmremap::claims {

// Opens the device or image for a moment. Empty if it cannot be opened. Thread-safe.
[[nodiscard]] std::optional<PresentDevice> look_at(const std::string& path);

// A device that was found to have a role in a set.
struct FoundDevice {
  std::string path;
  Role role = Role::none;
};

// Finds the devices of a set among all block devices and where they were last seen, by the names
// that are claimed. A device with several views (an image and a loop device over it) is there
// several times.
[[nodiscard]] std::vector<FoundDevice> find_devices(const Claim& claim);

// Has the kernel announce a change of the block device and of its partitions, so that udev looks
// again at what the claims say of it. Nothing happens where that may not or cannot be done.
void ask_udev_again(const std::string& path);
// The same for all devices of the set, where they were last seen.
void ask_udev_again(const Claim& claim);

// True if udev's database shows main, each of its partitions and the spares as an enabled claim has
// them: as what they are, of this set, and main hidden.
[[nodiscard]] bool is_known_to_udev(const Claim& claim);

}  // namespace dmremap::claims
