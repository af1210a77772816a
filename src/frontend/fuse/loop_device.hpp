// SPDX-License-Identifier: GPL-2.0-or-later
// A loop device over a file: what makes the FUSE file a real block device without a kernel module.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "base/result.hpp"

namespace dmremap::fuse {

struct LoopOptions {
  std::string backing_path;
  std::string
      stable_link;  // e.g. /dev/dm-remap/NAME; empty: none. A failure to make it is no error
  std::uint32_t logical_block_bytes = 512;
  bool read_only = false;
};

// Not thread-safe.
class LoopDevice {
 public:
  // Takes a free loop device (LOOP_CTL_GET_FREE, LOOP_CONFIGURE with direct I/O) and has the kernel
  // look for partitions on it. The kernel reads the file meanwhile: whatever serves it must be
  // running, and the caller must hold nothing that it needs. Errors: not_supported (no loop devices
  // here, or none with direct I/O: says what to load or allow), permission, io.
  static Result<std::unique_ptr<LoopDevice>> attach(const LoopOptions& options);
  ~LoopDevice();  // detaches; if in use, the kernel does when it no longer is

  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;

  [[nodiscard]] const std::string& node() const { return node_; }      // /dev/loopN
  [[nodiscard]] const std::string& stable() const { return stable_; }  // the link made, or empty
  // Writes back what is cached, then detaches and waits until the file is let go. Fails with
  // device_in_use, naming who (mounts, swaps, holders, processes), and changes nothing. Done
  // without error also if somebody else has detached it already. Once it begins to detach it does
  // not go back: if the cache could not be written back, unsaved() says so afterwards.
  Result<void> detach();
  // For a device whose backing file answers nobody any more: writes back, which may fail, and
  // detaches without waiting for its users; the kernel lets go of it when the last one does.
  void abandon();
  // After one of these two: what users had written through the page cache and was lost.
  [[nodiscard]] const std::optional<Error>& unsaved() const { return unsaved_; }

 private:
  LoopDevice(std::string node, std::string backing_file, const struct stat& backing,
             bool read_only);
  [[nodiscard]] Result<void> verify(std::uint64_t bytes) const;
  void link(const std::string& path);
  [[nodiscard]] bool attached() const;
  void save_cache(int device);
  void note_detached();

  const std::string node_;
  std::string stable_;
  const std::string backing_file_;
  const struct stat backing_;  // as it was attached: the device and the inode tell whose it is
  const bool read_only_;
  bool detached_ = false;
  std::optional<Error> unsaved_;
};

// Loop devices whose backing file is `backing_path`, dead runs' included ("(deleted)" and dead FUSE
// mounts too): "/dev/loop3". Only what /sys says: nothing is asked of the file.
[[nodiscard]] std::vector<std::string> loops_over(const std::string& backing_path);

// What a dead run of the same set left behind: the dead mount on `mount_path`, loop devices over it
// and a link that points to no device of this path any more (empty: none). Clears away what nothing
// uses; leftovers_in_use names what something does and who. device_in_use if the mount is alive or
// not ours; permission if other users may change a directory on the way to it.
[[nodiscard]] Result<void> clear_leftovers(const std::string& mount_path,
                                           const std::string& stable_link);

}  // namespace dmremap::fuse
