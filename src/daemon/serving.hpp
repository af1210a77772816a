// SPDX-License-Identifier: GPL-2.0-or-later
// The process of a running set: from the devices' names to the end of the set.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "daemon/exports.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

struct ServeOptions {
  std::string name;                  // of the set, or
  std::vector<std::string> devices;  // its devices, in any order
  std::vector<ExportKind> exports;
  std::string mount_path;  // empty: in the runtime directory
  set::OpenOptions open;
};

class ServeObserver {
 public:
  virtual ~ServeObserver() = default;
  // The name is known, and nothing was done yet.
  virtual void named(const std::string& name) = 0;
  // I/O is served: {"name","exports"}. False: whoever wanted the set is gone; end it again.
  virtual bool serving(const nlohmann::json& what) = 0;
};

// Returns when the set has been stopped. Call it while the process has one thread.
Result<void> serve(const ServeOptions& options, const control::RuntimeDir& runtime,
                   ServeObserver& observer);

}  // namespace dmremap::daemon
