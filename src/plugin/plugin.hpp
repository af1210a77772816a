// SPDX-License-Identifier: GPL-2.0-or-later
// One set inside an nbdkit that was started by hand: its life from the command line to the end of
// the server.
//
// The calls come in nbdkit's order: configure; check, before nbdkit goes to the background, so that
// a refusal is seen; bring_up, after that, because threads do not survive a fork; requests;
// bring_down, when no connection is left.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "daemon/reporter.hpp"
#include "daemon/set_daemon.hpp"
#include "frontend/nbd/clients.hpp"
#include "frontend/nbd/listening_socket.hpp"
#include "frontend/nbd/nbd_disk.hpp"

namespace dmremap::plugin {

// Used by one thread, except the objects that clients() and disk() return.
class Plugin {
 public:
  // Takes one KEY=VALUE of the command line. A plain argument comes with the key "device".
  Result<void> configure(const std::string& key, const std::string& value);
  Result<void> configured();
  Result<void> check();
  Result<void> bring_up();
  void bring_down();

  [[nodiscard]] nbd::Clients& clients() { return clients_; }
  // Valid while the set is up.
  [[nodiscard]] nbd::NbdDisk& disk() { return *disk_; }
  [[nodiscard]] bool read_only() const { return options_.open.read_only; }

 private:
  class NbdExports;
  class NbdExportMaker;
  class LogObserver;

  Result<void> add_device(const std::string& value);

  daemon::StartOptions options_;
  std::optional<control::RuntimeDir> runtime_;
  pid_t configured_by_ = 0;               // in the background it is not the process that serves
  std::atomic<bool> server_ends_{false};  // it has cut off the connected clients
  std::vector<nbd::ListeningSocket> sockets_;
  nbd::Clients clients_;
  std::unique_ptr<nbd::NbdDisk> disk_;
  std::unique_ptr<daemon::SetDaemon> daemon_;
  std::thread ending_;  // ends the server when the set was stopped by its control socket
};

}  // namespace dmremap::plugin
