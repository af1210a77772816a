// SPDX-License-Identifier: GPL-2.0-or-later
// Small readers of /sys, and a writer. Anything that is missing or unreadable reads as empty.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace dmremap::os {

// The whole of a small file, without white space around it.
[[nodiscard]] std::string read_attribute(const std::string& path);
// Writes a setting. False: the kernel does not take it, or it is not there.
[[nodiscard]] bool write_attribute(const std::string& path, std::string_view text);
// The names in a directory, sorted.
[[nodiscard]] std::vector<std::string> names_in(const std::string& directory);
// "8:1" as a device number.
[[nodiscard]] std::optional<dev_t> parse_device_number(std::string_view text);
// "<sys>/dev/block/8:1".
[[nodiscard]] std::string sysfs_directory_of(dev_t device, const std::string& sys = "/sys");
// Where in the tree of devices a directory of /sys lies that the kernel links to there: the end of
// the path, "../../devices/pci0000:00/.../block/sda" or longer. The kernel's links name the whole
// way, so that one call tells it.
[[nodiscard]] std::string place_in_devices(const std::string& directory);
// The node of a block device, by the name that the kernel gives it. Empty if there is none.
[[nodiscard]] std::string node_of(dev_t device);

}  // namespace dmremap::os
