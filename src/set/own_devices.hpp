// SPDX-License-Identifier: GPL-2.0-or-later
// Where a set is served: its file and its device nodes. What lies over one of them is never a
// device of the set, and a look at it would wait for this very process.
#pragma once

#include <mutex>
#include <string>
#include <vector>

namespace dmremap::set {

// Thread-safe.
class OwnDevices {
 public:
  // A file or a device node at which the set is served.
  void add(const std::string& path);
  // True if `path` is one of them or lies over one of them. Opens nothing, and asks no server of a
  // file system.
  [[nodiscard]] bool covers(const std::string& path) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> paths_;
};

}  // namespace dmremap::set
