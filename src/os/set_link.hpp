// SPDX-License-Identifier: GPL-2.0-or-later
// The name under which the block device of a set is to be found, whatever the kernel calls it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dmremap::os {

inline constexpr const char* kSetLinks = "/dev/dm-remap/";

// The symbolic link of the set with this name, whether it is there or not.
[[nodiscard]] inline std::string set_link(const std::string& name) {
  return kSetLinks + name;
}

// That of a partition of the device with this link.
[[nodiscard]] inline std::string partition_link(const std::string& link, std::uint64_t number) {
  return link + "-part" + std::to_string(number);
}

// The set's link, and those of its first sixteen partitions, which are looked for without a look at
// the device. A mount of a later one waits for as long as it says itself.
[[nodiscard]] inline std::vector<std::string> set_links(const std::string& name) {
  constexpr std::uint64_t kPartitions = 16;
  std::vector<std::string> out{set_link(name)};
  for (std::uint64_t number = 1; number <= kPartitions; ++number) {
    out.push_back(partition_link(set_link(name), number));
  }
  return out;
}

}  // namespace dmremap::os
