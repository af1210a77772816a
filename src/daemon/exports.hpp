// SPDX-License-Identifier: GPL-2.0-or-later
// The ways a running set is offered.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/messages.hpp"

namespace dmremap::set {
class RunningSet;
}

namespace dmremap::daemon {

enum class ExportKind { automatic, fuse, block, nbd };

// Errors: usage; not_supported for kinds that are still to come.
Result<ExportKind> parse_export(const std::string& text);

// What a stop does with clients of a server of ours, who lose nothing but their connection. A
// program that uses a file or a device of ours is never cut off.
enum class ConnectedClients { refuse, disconnect };

// The exports of a running set, through which its users reach it. Not thread-safe.
class Exports {
 public:
  virtual ~Exports() = default;

  // A report for each export that was asked for, in that order.
  [[nodiscard]] virtual std::vector<control::ExportReport> reports() const = 0;
  // Ends all exports. If one is in use, it fails with device_in_use, naming the users, and all go
  // on.
  virtual Result<void> stop(ConnectedClients clients) = 0;
  // After a stop that succeeded: the error, if data that a user had written was lost on its way to
  // the engine. Empty if all of it arrived.
  [[nodiscard]] virtual std::optional<Error> unsaved() const { return std::nullopt; }
  // What of them does not work now, and why, in words; empty: all do.
  [[nodiscard]] virtual std::string trouble() const { return {}; }
  // True once nothing is served any more although stop() was not called.
  [[nodiscard]] virtual bool ended() const = 0;
};

// Makes the exports of a set.
class ExportMaker {
 public:
  virtual ~ExportMaker() = default;
  // Takes what can be refused before anything of the set is touched. Called when its name is known
  // and no other process serves it.
  virtual Result<void> prepare(const std::string& /*name*/) { return {}; }
  // Serves before it returns. The set outlives the exports.
  virtual Result<std::unique_ptr<Exports>> make(set::RunningSet& set) = 0;
};

}  // namespace dmremap::daemon
