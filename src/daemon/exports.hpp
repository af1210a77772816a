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

struct ExportOptions {
  std::vector<ExportKind> kinds;  // not empty
  std::string mount_path;
  std::string stable_link;  // empty: none
  bool read_only = false;
  bool punch_holes = true;  // see fuse::Options
};

// What offers a running set to its users. Not thread-safe.
class Exports {
 public:
  virtual ~Exports() = default;

  // Each that was asked for, in that order.
  [[nodiscard]] virtual std::vector<control::ExportReport> reports() const = 0;
  // Ends all of them, or refuses with device_in_use, naming who, and they go on.
  virtual Result<void> stop() = 0;
  // After a stop that succeeded: data that a user had written and that was lost on its way to the
  // engine. None: all of it arrived.
  [[nodiscard]] virtual std::optional<Error> unsaved() const { return std::nullopt; }
  // True once nothing is served any more though nobody stopped it.
  [[nodiscard]] virtual bool ended() const = 0;
};

// A FUSE file, and a loop device over it where one was asked for. Serves before it returns.
// `disk` outlives it. `ended`: the file was unmounted from outside.
Result<std::unique_ptr<Exports>> start_exports(remap::Disk& disk, const ExportOptions& options);

// Whether this process may use FUSE at all, which the exports above are made with.
[[nodiscard]] bool can_mount();

}  // namespace dmremap::daemon
