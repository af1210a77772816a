// SPDX-License-Identifier: GPL-2.0-or-later
// The name under which the block device of a set is to be found, whatever the kernel calls it.
#pragma once

#include <string>

namespace dmremap::os {

inline constexpr const char* kSetLinks = "/dev/dm-remap/";

// The symbolic link of the set with this name, whether it is there or not.
[[nodiscard]] inline std::string set_link(const std::string& name) {
  return kSetLinks + name;
}

}  // namespace dmremap::os
