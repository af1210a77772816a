// SPDX-License-Identifier: GPL-2.0-or-later
// The FUSE front end: one file, mounted over a regular file, that is the virtual disk.
//
// Low-level API, several threads, no page cache on either side (direct_io). A request is answered
// whole or with EIO, and short only at the end of the device.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "frontend/byte_disk.hpp"
#include "frontend/fuse/mount_file.hpp"
#include "frontend/fuse/operations.hpp"
#include "frontend/fuse/thread_pool.hpp"
#include "remap/disk.hpp"

namespace dmremap::fuse {

// How the disk is mounted.
struct FuseOptions {
  std::string mount_path;  // a regular file; made if absent
  bool read_only = false;
  // If true, a hole punched in the file reads as zeros. It is false if main could only write the
  // zeros: then a hole is refused with EOPNOTSUPP, and the kernel writes zeros if a program asked
  // for zeros.
  bool punch_holes = true;
  // The most threads that take requests; one more is on standby. A bad place occupies one only for
  // its first try, until the drive has failed it; one that waits beyond the deadline of its request
  // is replaced by another. A set that is idle has one: more are made while all have a request, and
  // end, with the memory of their requests, when they were not needed for some seconds. Where
  // making one could wait for the disk itself (os::is_io_flusher), all are made at the start and
  // stay.
  unsigned threads = 16;
  // Of all front ends of the disk.
  std::shared_ptr<frontend::WriteGate> gate = std::make_shared<frontend::WriteGate>();
};

// Thread-safe.
class FuseFrontend final {
 public:
  // Mounts, starts the threads and serves. `disk` outlives this object. Clears away a dead mount
  // on the same path first if nothing uses it; error leftovers_in_use if something does.
  static Result<std::unique_ptr<FuseFrontend>> start(remap::Disk& disk, const FuseOptions& options);
  // Checks that FUSE is available and may be used. Errors: not_supported, permission.
  static Result<void> check_device();
  // Unmounts if still mounted, ends the threads, removes the mount file if it made it.
  ~FuseFrontend();

  FuseFrontend(const FuseFrontend&) = delete;
  FuseFrontend& operator=(const FuseFrontend&) = delete;

  [[nodiscard]] const std::string& path() const { return mount_file_.path(); }
  // Open file handles now, the kernel's own (a loop device) included.
  [[nodiscard]] unsigned open_handles() const { return file_.handles.count(); }
  // Unmounts and ends. Fails with device_in_use, naming the users, while a program has the file
  // open; then everything goes on as before.
  Result<void> stop();
  // True once the file system was unmounted from outside.
  [[nodiscard]] bool ended() const { return ended_.load(); }

 private:
  struct SessionDestroyer {
    void operator()(fuse_session* session) const;
  };
  using Session = std::unique_ptr<fuse_session, SessionDestroyer>;

  FuseFrontend(remap::Disk& disk, const FuseOptions& options, MountFile mount_file);
  static Result<Session> mount_session(FuseFile& file, const MountFile& mount_file);
  Result<void> run(unsigned threads);
  void serve(ThreadPool::Worker& self);
  // Receives one request and serves it. False: the session has ended.
  bool serve_one(ThreadPool::Worker& self);
  void end_threads();
  Result<void> unmount_unused();

  MountFile mount_file_;
  remap::Disk& engine_;
  frontend::ByteDisk disk_;
  ThreadPool threads_;
  FuseFile file_;
  Session session_;

  std::atomic<bool> ended_{false};
  std::mutex stop_mutex_;  // one stop() at a time
};

}  // namespace dmremap::fuse
