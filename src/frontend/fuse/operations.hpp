// SPDX-License-Identifier: GPL-2.0-or-later
// Answers the kernel's requests for the one file from a ByteDisk.
#pragma once

// The API of libfuse 3.12 and later.
#define FUSE_USE_VERSION 312
#include <atomic>
#include <ctime>
#include <list>
#include <mutex>

#include <fuse_lowlevel.h>

#include "frontend/byte_disk.hpp"
#include "frontend/fuse/request_memory.hpp"
#include "remap/disk.hpp"
#include "remap/request/request_timer.hpp"

namespace dmremap::fuse {

// The open handles of the file. Each keeps its own record of the failed flushes that were reported
// to it: every user of the disk is told of a failed flush by its own next fsync, even if others
// were told before. Thread-safe; not used by reads and writes.
class OpenHandles {
 public:
  [[nodiscard]] remap::FlushHeard& add();
  void remove(const remap::FlushHeard& handle);
  [[nodiscard]] unsigned count() const { return count_.load(); }

 private:
  std::mutex mutex_;
  std::list<remap::FlushHeard> handles_;  // an aborted connection never releases its own
  std::atomic<unsigned> count_{0};
};

// Told of threads that wait for a device beyond the deadline of a request, so that others take
// their place. By any thread; must not wait.
class ThreadBalance {
 public:
  virtual void on_stuck() = 0;
  virtual void on_free() = 0;

 protected:
  ~ThreadBalance() = default;
};

// The one file, as it is served: the user data of the session. `disk` outlives it.
struct FuseFile {
  frontend::ByteDisk& disk;
  ThreadBalance& threads;
  bool read_only = false;
  bool punch_holes = true;  // see FuseOptions
  timespec since{};         // the file's times
  OpenHandles handles{};
  // The number of reads that the engine's threads still have to answer. It may be below 0 for a
  // moment. It is exact once no thread serves any more, and must be 0 before the session ends.
  std::atomic<int> answers_owed{0};
  std::atomic<bool> ready{false};  // the kernel has said hello
};

// Sets the memory and the timer of the calling thread, before it processes its first request. A
// request is served by the thread that received it, in the memory of that thread. Reads of bad
// places may be answered by threads of the engine, and what a device does not answer in time by
// that of the timers.
void serve_with(RequestMemory& memory, remap::RequestTimer& timer);

[[nodiscard]] fuse_lowlevel_ops operations();

}  // namespace dmremap::fuse
