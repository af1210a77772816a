// SPDX-License-Identifier: GPL-2.0-or-later
// The ways a running set is offered: a FUSE file, and a loop device over it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "frontend/fuse/fuse_frontend.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "remap/engine.hpp"

namespace dmremap::daemon {

enum class ExportKind { automatic, fuse, block };

// Errors: usage; not_supported for kinds that are still to come.
Result<ExportKind> parse_export(const std::string& text);

struct ExportOptions {
  std::vector<ExportKind> kinds;  // not empty
  std::string mount_path;
  std::string stable_link;  // empty: none
  bool read_only = false;
};

// Not thread-safe.
class Exports {
 public:
  // Serves before it returns. `engine` outlives it.
  static Result<std::unique_ptr<Exports>> start(remap::Engine& engine,
                                                const ExportOptions& options);

  // {"kind","where","stable"} for each that was asked for, in that order.
  [[nodiscard]] nlohmann::json to_json() const;
  // Ends all of them, or refuses with device_in_use, naming who, and they go on.
  Result<void> stop();
  // True once the FUSE file was unmounted from outside: nothing is served any more.
  [[nodiscard]] bool ended() const { return fuse_->ended(); }

 private:
  Exports(std::unique_ptr<fuse::FuseFrontend> fuse, ExportOptions options,
          fuse::LoopOptions loop_options)
      : options_(std::move(options)),
        loop_options_(std::move(loop_options)),
        fuse_(std::move(fuse)) {}
  Result<void> attach();

  ExportOptions options_;
  fuse::LoopOptions loop_options_;
  std::unique_ptr<fuse::FuseFrontend> fuse_;
  std::unique_ptr<fuse::LoopDevice> loop_;  // ends first
};

}  // namespace dmremap::daemon
