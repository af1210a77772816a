// SPDX-License-Identifier: GPL-2.0-or-later
// A loop device over a file. It makes the FUSE file a real block device without a kernel module.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "base/result.hpp"
#include "frontend/stable_links.hpp"

namespace dmremap::fuse {

// The loop device to make.
struct LoopOptions {
  std::string backing_path;
  // A link to the device, such as /dev/dm-remap/NAME; empty for none. A failure to make it is no
  // error.
  std::string stable_link;
  std::uint32_t logical_block_bytes = 512;
  bool read_only = false;
};

// Not thread-safe.
class LoopDevice {
 public:
  // Takes a free loop device (LOOP_CTL_GET_FREE, LOOP_CONFIGURE with direct I/O) and has the kernel
  // look for partitions on it. The kernel reads the file meanwhile, so its server must be running
  // and the caller must hold no lock that the server needs. Errors: not_supported (no loop devices
  // here, or none with direct I/O; the error says what to load or allow), permission, io.
  static Result<std::unique_ptr<LoopDevice>> attach(const LoopOptions& options);
  ~LoopDevice();  // detaches; if the device is in use, the kernel does it after the last close

  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;

  [[nodiscard]] const std::string& node() const { return node_; }            // /dev/loopN
  [[nodiscard]] const std::string& stable() const { return links_.path(); }  // the link, or empty
  // Call it now and then: links to the partitions follow those that the kernel sees.
  void follow_partitions() { links_.follow_partitions(); }
  // Writes back the page cache, then detaches and waits until the kernel has released the file.
  // Fails with device_in_use, naming the users (mounts, swaps, holders, processes), and changes
  // nothing. It is no error if another program has detached it already. Once detaching has begun it
  // is not undone: if the cache could not be written back, unsaved() says so afterwards.
  Result<void> detach();
  // For a device whose backing file has no server any more. Writes back, which may fail, and
  // detaches without waiting for its users; the kernel releases it when the last one closes it.
  void abandon();
  // After detach() or abandon(): the error, if data that users had written through the page cache
  // was lost.
  [[nodiscard]] const std::optional<Error>& unsaved() const { return unsaved_; }

 private:
  LoopDevice(std::string node, std::string backing_file, const struct stat& backing,
             const LoopOptions& options);
  [[nodiscard]] Result<void> verify(std::uint64_t bytes) const;
  [[nodiscard]] bool attached() const;
  void save_cache(int device);
  void note_detached();

  const std::string node_;
  frontend::StableLinks links_;
  const std::string backing_file_;
  const struct stat backing_;  // taken when it was attached; device and inode identify the file
  const bool read_only_;
  bool detached_ = false;
  std::optional<Error> unsaved_;
};

// The loop devices, such as "/dev/loop3", whose backing file is `backing_path`. Those of dead runs
// are included ("(deleted)" and dead FUSE mounts too). Only /sys is read; the file itself is not
// asked.
[[nodiscard]] std::vector<std::string> loops_over(const std::string& backing_path);

// Clears away what a dead run of the same set left behind: the dead mount on `mount_path`, loop
// devices over it, and `stable_link` if it points to no device of this path any more (empty: no
// link). Only unused things are removed. Errors: leftovers_in_use names a thing that is in use and
// its users; device_in_use if the mount is alive or not ours; permission if other users may change
// a directory on the way to it.
[[nodiscard]] Result<void> clear_leftovers(const std::string& mount_path,
                                           const std::string& stable_link);

}  // namespace dmremap::fuse
