// SPDX-License-Identifier: GPL-2.0-or-later
// Where the disk appears: as a file (FUSE) or as a block device (ublk). Faults, times and the cache
// are the disk's own (disk.hpp), and the same on both.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "disk.hpp"

namespace dmremap::lab {

enum class FrontKind { file, ublk };

// Its threads call the disk; its methods belong to one thread.
class Front {
 public:
  Front() = default;
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;
  virtual ~Front() = default;

  // In words, for whoever started it: "/home/me/disk".
  [[nodiscard]] virtual std::string place() const = 0;
  // Becomes readable when the disk has gone, by whomever.
  [[nodiscard]] virtual int ended() const = 0;
  // Takes the disk away. Error device_in_use, naming who uses it: nothing has changed.
  [[nodiscard]] virtual Result<void> end_unused() = 0;
  // Takes it away whoever uses it: they get errors, as when a disk is pulled.
  virtual void end_in_use() = 0;
};

// Serve the disk at `path` until the front ends; `disk` outlives it. Errors: device_in_use
// (something else is served there), permission, not_supported (no FUSE, no ublk), file_exists, io.
[[nodiscard]] Result<std::unique_ptr<Front>> serve_file(Disk& disk, const std::string& path);
[[nodiscard]] Result<std::unique_ptr<Front>> serve_ublk(Disk& disk, const std::string& path);

// What a lab that was killed has left at `path`. `not_running` if there is nothing of that kind.
// The text says what was taken away.
[[nodiscard]] Result<std::string> clear_dead_file(const std::string& path);
[[nodiscard]] Result<std::string> clear_dead_ublk(const std::string& path);

// Repeats `attempt` for a while as long as it fails with device_in_use: udev looks at every new
// device, and a loop device lets go of its file late.
[[nodiscard]] Result<void> when_unused(const std::function<Result<void>()>& attempt);

}  // namespace dmremap::lab
