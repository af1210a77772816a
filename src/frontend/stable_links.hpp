// SPDX-License-Identifier: GPL-2.0-or-later
// Links to a block device that the kernel numbers as it likes, under names that stay:
// /dev/dm-remap/NAME, and NAME-partN for each partition that the kernel sees on it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.hpp"

namespace dmremap::frontend {

// Makes the symbolic link `link` to `node`, and its directory. An old link is replaced in one step.
[[nodiscard]] Result<void> place_link(const std::string& link, const std::string& node);
// Removes it if it is a link to `node`.
void remove_link(const std::string& link, const std::string& node);

// The partitions of a block device, by number: the kernel's names of their nodes.
[[nodiscard]] std::map<std::uint64_t, std::string> partitions_of(const std::string& node,
                                                                 const std::string& sys = "/sys");

// Not thread-safe.
class StableLinks {
 public:
  // Makes the link `link` to `node`; empty: there are no links. One that cannot be made is no error
  // but a line in the log.
  StableLinks(std::string link, std::string node);
  StableLinks(const StableLinks&) = delete;
  StableLinks& operator=(const StableLinks&) = delete;
  ~StableLinks() { remove(); }

  // The link to the whole device; empty if there is none.
  [[nodiscard]] const std::string& path() const { return path_; }
  // Follows what the kernel has found on the device since: a user may partition it. A link of that
  // name that leads elsewhere stays: another set may be called NAME-part1. `sys`: for tests.
  void follow_partitions(const std::string& sys = "/sys");
  void remove();
  // They stay when this object goes: another process serves the device.
  void keep();

 private:
  const std::string node_;
  std::string path_;
  std::map<std::uint64_t, std::string> partitions_;  // linked to, by number
};

// Removes the links to partitions that a dead run left: of the link `link`, those that lead to a
// node that is not there any more.
void clear_partition_links(const std::string& link);

}  // namespace dmremap::frontend
