// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel asks of the one file, answered from a ByteDisk.
#pragma once

// The API of libfuse 3.12 and later.
#define FUSE_USE_VERSION 312
#include <atomic>
#include <ctime>

#include <fuse_lowlevel.h>

#include "frontend/fuse/byte_disk.hpp"

namespace dmremap::fuse {

// The user data of the session. `disk` outlives it.
struct Served {
  ByteDisk& disk;
  bool read_only = false;
  timespec since{};  // the file's times
  std::atomic<unsigned> open_handles{0};
  std::atomic<bool> ready{false};  // the kernel has said hello
};

// A request is answered by the thread that received it, into the memory of that thread: set before
// the first request is processed.
void serve_with(RequestMemory& memory);

[[nodiscard]] fuse_lowlevel_ops operations();

}  // namespace dmremap::fuse
