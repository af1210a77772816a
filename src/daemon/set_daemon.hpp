// SPDX-License-Identifier: GPL-2.0-or-later
// The process of a running set: from the devices' names to the end of the set.
#pragma once

#include <chrono>
#include <csignal>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"
#include "control/server.hpp"
#include "daemon/exports.hpp"
#include "daemon/set_claim.hpp"
#include "daemon/set_service.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

// What to start, and how to serve it.
struct StartOptions {
  std::string name;                  // the name of the set; not used if `devices` is set
  std::vector<std::string> devices;  // its devices, in any order
  std::vector<ExportKind> exports;
  std::string mount_path;  // empty: in the runtime directory
  std::string socket;      // of NBD; empty: in the runtime directory
  // The set is taken over from the process that serves it, if there is one. Takes `name`.
  bool replace = false;
  set::OpenOptions open;
  // open.boot_wait_s is what the set's claim says, which is not read again.
  bool claim_is_read = false;
  // If it is set, a device that has not answered within this time ends the start with
  // missing_device, whatever device it is: nothing is then decided without it.
  std::optional<std::chrono::nanoseconds> all_answer_within;
  std::vector<std::string> warnings;  // of what came before, told with those of the start
};

// Is told of the progress of a start.
class StartObserver {
 public:
  virtual ~StartObserver() = default;
  // Called when the name is known and nothing was done yet.
  virtual void named(const std::string& name) = 0;
  // Called when I/O is served. Returns false if the process that wanted the set is gone; the set is
  // stopped then.
  virtual bool serving(const control::StartReport& what) = 0;
};

// The signals that a daemon handles. They end it, except SIGHUP: a daemon whose terminal goes away
// stays.
inline constexpr std::initializer_list<int> kEndSignals{SIGTERM, SIGINT, SIGHUP};

// A set that is up: open, offered, with its pid file and its control socket. Thread-safe.
class SetDaemon {
 public:
  // Call it while the process has one thread; threads made later take no signals from it. If the
  // observer wants the set no more, it is stopped already when this returns.
  static Result<std::unique_ptr<SetDaemon>> start(const StartOptions& options,
                                                  const control::RuntimeDir& runtime,
                                                  StartObserver& observer, ExportMaker& exports);
  // Stop it before it is destroyed. The destructor sends the answers that are being made, then
  // releases the devices, and the pid file last.

  // Stops the set. Fails with device_in_use, naming the users, while a program uses it; then it
  // goes on. Later calls return the result of the first stop.
  Result<void> stop(ConnectedClients clients = ConnectedClients::refuse);
  // Readable once the set has been stopped, by whichever call.
  [[nodiscard]] int stopped_fd() const { return service_->stopped_fd(); }
  // As SetService has them.
  [[nodiscard]] bool waits_for_device() const { return service_->waits_for_device(); }
  [[nodiscard]] bool look_at_exports() {
    claim_->look_at_links();
    return service_->look_at_exports();
  }

 private:
  SetDaemon(control::PidFile pid_file, std::unique_ptr<SetClaim> claim,
            std::unique_ptr<SetService> service);
  Result<void> listen(const std::string& socket_path);

  control::PidFile pid_file_;  // let go of last
  std::unique_ptr<SetClaim> claim_;
  std::unique_ptr<SetService> service_;
  std::unique_ptr<control::Server> server_;
};

// Checks whether a start would be refused now, for a caller that cannot report errors later. Takes
// the pid file and holds the devices meanwhile, and writes nothing to them. Clears away leftovers
// as a start does.
Result<void> check_start(const StartOptions& options, const control::RuntimeDir& runtime);

// Starts a set with the exports of `options` and returns when it has been stopped. Call it while
// the process has one thread.
Result<void> run_daemon(const StartOptions& options, const control::RuntimeDir& runtime,
                        StartObserver& observer);

}  // namespace dmremap::daemon
