// SPDX-License-Identifier: GPL-2.0-or-later
// A set served by NBD: an nbdkit that is started again whenever it ends (docs/decisions/020).
//
// Invariants
//  - The disk, the socket and what clients were acknowledged live in this process. nbdkit may die
//  at
//    any time: its clients lose their connections, and can make new ones as soon as the next nbdkit
//    serves. It is never given up, only started less and less often.
//  - When this process dies, nbdkit sees its end of the control socket close, and ends.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "control/messages.hpp"
#include "daemon/nbd_socket.hpp"
#include "daemon/nbdkit_process.hpp"
#include "frontend/nbd/clients.hpp"
#include "frontend/nbd/nbd_disk.hpp"
#include "frontend/nbd/relay_server.hpp"
#include "frontend/write_gate.hpp"
#include "remap/disk.hpp"

namespace dmremap::daemon {

struct NbdExportOptions {
  bool read_only = false;
  bool zeroes_fast = false;                   // see nbd::NbdDisk
  std::shared_ptr<frontend::WriteGate> gate;  // of all front ends of the disk
};

// Used by one thread.
class NbdExport {
 public:
  // Serves before it returns. `disk` outlives it. Error io: nbdkit does not start, with its reason.
  static Result<std::unique_ptr<NbdExport>> start(remap::Disk& disk, NbdSocket socket,
                                                  const NbdExportOptions& options);
  ~NbdExport();  // end()
  NbdExport(const NbdExport&) = delete;
  NbdExport& operator=(const NbdExport&) = delete;

  [[nodiscard]] control::ExportReport report() const { return {"nbd", uri_, uri_}; }
  // Why no client is served now, in words; empty: they are. Any thread.
  [[nodiscard]] std::string trouble() const;
  // Lets no client in from here on. Fails with device_in_use, naming those who are connected, and
  // changes nothing then.
  Result<void> close();
  // Takes a close() back.
  void open_again() { clients_.open_again(); }
  // Ends nbdkit, and disconnects who is still connected. Requests under way are done first.
  void end();

 private:
  NbdExport(remap::Disk& disk, NbdSocket socket, const NbdExportOptions& options);

  // The thread that starts nbdkit, again and again.
  void supervise();
  // Runs one nbdkit. Returns how it ended, in words, or why it could not be started.
  std::string run_nbdkit();
  void watch(NbdkitProcess& nbdkit, int control);
  void note_serving();
  void note_trouble(std::string trouble);
  // False if it is not the first one.
  bool fail_start(const std::string& how);
  // False if the export is to end.
  [[nodiscard]] bool sleep_unless_ending(int milliseconds) const;

  NbdSocket socket_;
  const std::string uri_;
  nbd::Clients clients_;
  nbd::NbdDisk disk_;
  nbd::RelayServer relay_;  // used by the thread
  FileDescriptor ending_;   // readable once nbdkit is to be started no more
  std::atomic<bool> is_ending_{false};

  mutable std::mutex mutex_;  // guards everything below, but for the thread
  std::condition_variable first_known_;
  std::string trouble_;
  std::optional<Result<void>> first_;  // what became of the first nbdkit
  std::thread thread_;
};

}  // namespace dmremap::daemon
