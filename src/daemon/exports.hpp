// SPDX-License-Identifier: GPL-2.0-or-later
// The ways a running set is offered.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/messages.hpp"
#include "format/content.hpp"

namespace dmremap::set {
class RunningSet;
}
namespace dmremap::remap {
class DirectPath;
}
namespace dmremap::io {
class HoldingNode;
}

namespace dmremap::daemon {

enum class ExportKind { automatic, ublk, fuse, block, nbd, dm };

// Errors: usage.
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
  // Counts what went past the engine, too. Changes nothing where all goes through it.
  virtual void count_requests(control::IoReport& /*io*/) const {}
  // Call it every second, from one thread: follows what changed outside.
  virtual void look() {}
  // The error of the two below, if they cannot be had: not_supported.
  [[nodiscard]] virtual Result<void> check_hand_over() const;
  // Leaves the device to the next process of this set, with its users, who wait meanwhile. All that
  // was begun is answered, and `is_wanted` is asked last of all: after a no it is not left. Errors:
  // not_supported; timeout: all goes on.
  virtual Result<void> hand_over(const std::function<bool()>& /*is_wanted*/) {
    return check_hand_over();
  }
  // Does `record` while nothing is begun; if it succeeds, nothing that changes the disk is begun
  // ever after, and stop() does not wait for it: it fails with device_in_use if there is such a
  // request. Errors: not_supported, timeout, and those of `record`: all goes on.
  virtual Result<void> hold_changes(const std::function<Result<void>()>& /*record*/) {
    return check_hand_over();
  }
  // What whoever started the set should know of how the exports began; empty: nothing.
  [[nodiscard]] virtual std::string start_note() const { return {}; }
};

// Makes the exports of a set.
class ExportMaker {
 public:
  virtual ~ExportMaker() = default;
  // Takes what can be refused before anything of the set is touched. Called when it is known which
  // set it is, and that no other process serves it. Here: what a dead run left in the kernel is
  // removed, or refused while it is in use.
  virtual Result<void> prepare(const format::Identity& identity);
  // After prepare(): users of the run before have not noticed that it died, and are served on.
  [[nodiscard]] virtual bool takes_over() const { return false; }
  // After prepare(): users write to main without any process. A set that is not served then must
  // not be recorded as stopped.
  [[nodiscard]] virtual bool is_served_without_us() const { return false; }
  // After prepare() and before main is opened: what device of its own main is to be held by, and
  // what sends requests to main past this process (set::OpenOptions). Both outlive the set.
  struct MainUse {
    io::HoldingNode* holder = nullptr;
    remap::DirectPath* direct = nullptr;
  };
  virtual Result<MainUse> hold_main(const std::string& /*main*/) { return MainUse{}; }
  // Serves before it returns. The set outlives the exports.
  virtual Result<std::unique_ptr<Exports>> make(set::RunningSet& set) = 0;
};

}  // namespace dmremap::daemon
