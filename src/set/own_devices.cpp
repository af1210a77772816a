// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/own_devices.hpp"

#include <algorithm>

#include "os/usage.hpp"

namespace dmremap::set {

void OwnDevices::add(const std::string& path) {
  const std::lock_guard lock(mutex_);
  paths_.push_back(path);
}

bool OwnDevices::covers(const std::string& path) const {
  std::vector<std::string> own;
  {
    const std::lock_guard lock(mutex_);
    own = paths_;
  }
  const auto storage = os::storage_of(path);
  std::string backing = path;
  std::vector<os::Storage> stack;
  if (storage) {
    stack = os::beneath(*storage);
    // By name as well: the mount of the served file may be hidden from here.
    if (storage->is_block_device()) {
      if (const auto loop = os::loop_backing(storage->device)) backing = loop->path;
    }
  }
  return std::ranges::any_of(own, [&](const std::string& one) {
    if (one == path || one == backing) return true;
    const auto served = os::storage_of(one);
    return served && std::ranges::find(stack, *served) != stack.end();
  });
}

}  // namespace dmremap::set
