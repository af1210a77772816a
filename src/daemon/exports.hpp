// SPDX-License-Identifier: GPL-2.0-or-later
// The ways a running set is offered: a FUSE file, and a loop device over it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/messages.hpp"
#include "remap/disk.hpp"

namespace dmremap::daemon {

enum class ExportKind { automatic, fuse, block, nbd };

// Errors: usage; not_supported for kinds that are still to come.
Result<ExportKind> parse_export(const std::string& text);

// The exports to make.
struct ExportOptions {
  std::vector<ExportKind> kinds;  // not empty
  std::string mount_path;
  std::string stable_link;  // empty: none
  bool read_only = false;
  bool punch_holes = true;  // see fuse::FuseOptions
};

// The exports of a running set, through which its users reach it. Not thread-safe.
class Exports {
 public:
  virtual ~Exports() = default;

  // A report for each export that was asked for, in that order.
  [[nodiscard]] virtual std::vector<control::ExportReport> reports() const = 0;
  // Ends all exports. If one is in use, it fails with device_in_use, naming the users, and all go
  // on.
  virtual Result<void> stop() = 0;
  // After a stop that succeeded: the error, if data that a user had written was lost on its way to
  // the engine. Empty if all of it arrived.
  [[nodiscard]] virtual std::optional<Error> unsaved() const { return std::nullopt; }
  // True once nothing is served any more although stop() was not called.
  [[nodiscard]] virtual bool ended() const = 0;
};

// A FUSE file, and a loop device over it where one was asked for. Serves before it returns.
// `disk` outlives it. `ended`: the file was unmounted from outside.
Result<std::unique_ptr<Exports>> start_exports(remap::Disk& disk, const ExportOptions& options);

// True if this process may use FUSE, which the exports above need.
[[nodiscard]] bool can_mount();

}  // namespace dmremap::daemon
