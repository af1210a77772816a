// SPDX-License-Identifier: GPL-2.0-or-later
// Makes, finds, recovers and removes the kernel's ublk devices, by way of /dev/ublk-control. The
// requests of a device are served by a Server (server.hpp), which uses this in the right order.
//
// The life of a device, and what the end of its server leaves (kill -9 included):
//
//   add             dead      /dev/ublkcN without a disk: remove() it
//   set_parameters  dead      the same
//   start           live      when a server dies now, the device becomes quiesced: what was in
//                             flight and what comes waits in the kernel, nothing fails
//   start_recovery  quiesced  once the dead server's last request and file are gone. Killed here, a
//                             server leaves queues that have none: unfinished_recovery.hpp
//   end_recovery    live      the kernel sends all that waited, also what was in flight, again
//   stop            dead      requests that still come fail with EIO, dirty pages with them
//   remove          gone
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "ublk/disk_parameters.hpp"

struct io_uring;

namespace dmremap::ublk {

enum class DeviceState { dead, live, quiesced, unknown };

struct DeviceInfo {
  std::uint32_t id = 0;  // the N of /dev/ublkbN
  DeviceState state = DeviceState::dead;
  unsigned queues = 0;
  unsigned depth = 0;  // of each queue
  std::uint32_t request_bytes_max = 0;
  bool recoverable = false;
  bool user_copy = false;
  // A number that the server chose when it made the device; it survives the server. It tells whose
  // a device is: a hash of something that only its owner has. Other servers than ours may keep
  // flags of their own here.
  std::uint64_t owner = 0;
  int server_pid = 0;  // of the last server; -1 if stopped
};

[[nodiscard]] std::string block_path(std::uint32_t id);  // "/dev/ublkb3"
// The N of "ublkbN", or of the name of a partition of it ("ublkbNp1"); nothing of other names.
[[nodiscard]] std::optional<std::uint32_t> block_number(std::string_view name);
[[nodiscard]] std::string character_path(std::uint32_t id);  // "/dev/ublkc3"

// The error of waiting in vain for the end of a device's last server.
[[nodiscard]] tl::unexpected<Error> fail_server_lives(const std::string& path);

// Belongs to one thread at a time. Calls wait for the kernel; needs CAP_SYS_ADMIN.
class Control {
 public:
  // Loads the driver's module if it must and can. Errors: not_supported (no driver, or it lacks
  // what a Server needs: Linux before 6.5), permission.
  static Result<Control> open();

  Control(Control&&) noexcept;
  Control& operator=(Control&&) = delete;
  ~Control();

  // All devices, also those of others, by number. One that goes meanwhile is left out.
  [[nodiscard]] std::vector<DeviceInfo> devices();
  [[nodiscard]] Result<DeviceInfo> info(std::uint32_t id);  // no_such_device
  // The device that was made with this owner's number; with several the first.
  [[nodiscard]] std::optional<DeviceInfo> find(std::uint64_t owner);
  [[nodiscard]] Result<DiskParameters> parameters(std::uint32_t id);

  struct NewDevice {
    std::optional<std::uint32_t> id;  // the next free one unless named
    unsigned queues = 1;              // the kernel makes no more than it has CPUs
    unsigned depth = 128;
    std::uint32_t request_bytes_max = 0;
    bool recoverable = true;
    std::uint64_t owner = 0;
  };
  // As the kernel has made it: fewer queues, perhaps. Errors: device_in_use (the number is taken),
  // no_memory, io.
  [[nodiscard]] Result<DeviceInfo> add(const NewDevice& device);
  [[nodiscard]] Result<void> set_parameters(std::uint32_t id, const DiskParameters& disk);
  // All queues must have fetched all their tags, and be served by other threads: it returns when
  // the kernel has read the partition table.
  [[nodiscard]] Result<void> start(std::uint32_t id);
  // Waits for a quiesced device as long as its server is still dying, `patience` at most. Only
  // after finish_recovery_of_dead() (unfinished_recovery.hpp). Errors: timeout; io.
  [[nodiscard]] Result<void> start_recovery(std::uint32_t id, std::chrono::milliseconds patience);
  // As start(), without the partition table.
  [[nodiscard]] Result<void> end_recovery(std::uint32_t id);
  // Needs the server if the device is live. Whoever has the disk open gets errors from now on.
  [[nodiscard]] Result<void> stop(std::uint32_t id);
  // Stops it, too. /dev/ublkcN must be closed before. The disk goes when its last user has closed
  // it: this waits for that, but not for long.
  [[nodiscard]] Result<void> remove(std::uint32_t id);

 private:
  Control(FileDescriptor device, std::unique_ptr<io_uring> ring);
  // 0 or more, or minus an errno.
  int run(std::uint32_t operation, std::uint32_t id, void* buffer = nullptr, std::size_t bytes = 0,
          std::uint64_t data = 0);

  FileDescriptor device_;
  std::unique_ptr<io_uring> ring_;
};

}  // namespace dmremap::ublk
