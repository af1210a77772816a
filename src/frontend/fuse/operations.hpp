// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel asks of the one file, answered from a ByteDisk.
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

namespace dmremap::fuse {

// The openings of the file that have not ended. Each has an account of its own of the failed
// flushes it has heard of: every user of the disk hears of one by its own next fsync, whoever else
// has heard of it before. Thread-safe; not on the way of reads and writes.
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

// The one file, as it is served: the user data of the session. `disk` outlives it.
struct FuseFile {
  frontend::ByteDisk& disk;
  bool read_only = false;
  bool punch_holes = true;  // see Options
  timespec since{};         // the file's times
  OpenHandles handles{};
  // Reads that the engine's threads answer. Below 0 for a moment; exact when no thread serves any
  // more, and 0 before the session may end.
  std::atomic<int> answers_owed{0};
  std::atomic<bool> ready{false};  // the kernel has said hello
};

// A request is served by the thread that received it, in the memory of that thread: set before the
// first request is processed. Reads of bad places may be answered by threads of the engine.
void serve_with(RequestMemory& memory);

[[nodiscard]] fuse_lowlevel_ops operations();

}  // namespace dmremap::fuse
