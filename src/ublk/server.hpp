// SPDX-License-Identifier: GPL-2.0-or-later
// A disk served by ublk: /dev/ublkbN, its queues and their threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "ublk/buffer_pool.hpp"
#include "ublk/control.hpp"
#include "ublk/disk_parameters.hpp"
#include "ublk/handler.hpp"

namespace dmremap::ublk {

class Queue;

// A process that serves its own memory's disk arranges that first (os/process.hpp): the threads of
// the queues inherit PR_SET_IO_FLUSHER from the thread that calls create() or recover().
//
// Belongs to one thread at a time. The handler is called from before create() or recover() returns
// (the kernel looks for partitions) until stop() or the destructor returns.
class Server {
 public:
  struct Options {
    DiskParameters disk;
    std::uint64_t owner = 0;  // see DeviceInfo::owner
    unsigned queues = 0;      // 0: one for each CPU, 32 at most
    unsigned depth = 128;     // of each queue
    bool recoverable = true;  // else the disk goes with the process, and what is in flight fails
    // Memory for data in flight, for all queues together; at least request_bytes_max.
    std::size_t buffer_bytes = std::size_t{8} << 20;
    // Called with the path of the disk before there is one: what udev is to find at its first
    // event is made there.
    std::function<void(const std::string& path)> before_start = {};
  };

  // Makes a new device; the disk can be used when this returns. `handler` outlives the server.
  // Errors: those of Control::open() and Control::add(); usage (parameters); no_memory; io. Nothing
  // is left after an error.
  static Result<std::unique_ptr<Server>> create(Handler& handler, const Options& options);

  // Takes over the device `id`, whose server has died. Waits until the kernel has buried that one,
  // `patience` at most (errors: timeout, not_supported, no_such_device). The kernel then sends what
  // was in flight, again: the same write may reach the device below twice. All requests of the dead
  // server to the device below must have ended before, or an old write may land on a newer one:
  // that is up to the caller, who knows how it holds that device. After an error the device is
  // quiesced as before, and can be tried again.
  static Result<std::unique_ptr<Server>> recover(Handler& handler, std::uint32_t id,
                                                 std::size_t buffer_bytes,
                                                 std::chrono::milliseconds patience);

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // A device that was not stopped stays, quiesced: its requests wait for a recovery, as after a
  // kill. No request may be with the handler or its threads any more.
  ~Server();

  [[nodiscard]] std::uint32_t id() const { return info_.id; }
  [[nodiscard]] std::string path() const { return block_path(info_.id); }
  [[nodiscard]] const DeviceInfo& info() const { return info_; }
  [[nodiscard]] const DiskParameters& disk() const { return disk_; }

  // Writes what the kernel's page cache has of the disk, and flushes. Error io: also of what was
  // written back before, if nobody was told of it; then that is lost.
  [[nodiscard]] Result<void> sync() const;
  // Stops and removes the device if nobody holds it (a mount, dm, md, swap, an opener with O_EXCL);
  // else device_in_use, and all goes on. Dirty pages are written before, if they can: the kernel
  // would fail them; sync() tells of errors. Programs that have it plainly open are not seen:
  // os/usage.hpp finds them.
  [[nodiscard]] Result<void> stop();
  // The same, whoever uses it: they get errors from now on, and dirty pages are lost.
  [[nodiscard]] Result<void> stop_in_use();
  // Becomes readable when a queue has ended: after stop(), or because somebody else has stopped the
  // device.
  [[nodiscard]] int ended() const { return ended_.get(); }

 private:
  Server(Handler& handler, Control control, DeviceInfo info, const DiskParameters& disk,
         std::size_t buffer_bytes);
  [[nodiscard]] Result<void> open_character_device();
  [[nodiscard]] Result<void> start_queues();
  void end_queues();

  Handler& handler_;
  Control control_;
  DeviceInfo info_;
  DiskParameters disk_;
  BufferPool buffers_;
  FileDescriptor ended_;
  FileDescriptor character_;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace dmremap::ublk
