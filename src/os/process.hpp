// SPDX-License-Identifier: GPL-2.0-or-later
// Protects a process that serves a disk to which its own memory may be written back (promise 11):
// no page fault, no reclaim and no OOM killer may come between a request and its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace dmremap::os {

// Each is for the whole process, to be called before it starts threads that stay. Errors:
// permission, not_supported; the process can go on, less protected.

// How much of the machine's memory a set may take. Whatever it is, a set makes progress: with less,
// fewer requests are served at the same time.
struct MemoryPolicy {
  std::size_t heap_reserve_bytes = 0;  // see reserve_heap()
  unsigned request_threads = 0;        // a front end's, at most; each has 1 MiB and its stack
};
// For a machine, or a group of processes, with that much memory. Pure.
[[nodiscard]] MemoryPolicy memory_policy(std::uint64_t bytes);
// The same for this machine; a limit of the memory cgroup of this process counts too.
[[nodiscard]] MemoryPolicy memory_policy();
// The files that have that limit, one of which is there, by what /proc/self/cgroup says. Pure.
[[nodiscard]] std::vector<std::string> memory_limits_of(const std::string& groups);

// Bounds the memory that later threads take: small stacks, and one heap for all. The stacks and the
// heaps of threads that have ended stay with the process, and are locked with the rest of it.
void bound_thread_memory();

// Locks all present and later memory but the code of libraries that no request runs through, and
// bounds that of later threads. Errors: permission if
// locked memory is limited; not_supported under AddressSanitizer and ThreadSanitizer, whose shadow
// memory is larger than any machine's.
[[nodiscard]] Result<void> lock_memory();

// Reserves memory for allocations on the I/O path. Call it when all long-lived memory is allocated
// and locked. If this process may not become an I/O flusher, the kernel may let an allocation wait
// for write-back to the very device that the process serves: for ever, with a memory cgroup of
// version 1 (tests/e2e/reclaim_trial.py). So the kernel is asked for the memory before the device
// exists.
void reserve_heap();

// Allocations of this process never wait for write-back to a device that it serves itself
// (prctl(2), PR_SET_IO_FLUSHER, Linux 5.6). Threads inherit it from the thread that makes them.
[[nodiscard]] Result<void> become_io_flusher();
// True if the calling thread is one. Then memory and threads can be made when they are needed, also
// while the device is in use; else all that may be needed has to be made before.
[[nodiscard]] bool is_io_flusher();

// The OOM killer takes others first.
[[nodiscard]] Result<void> avoid_oom_killer();

// Does all of the above. Returns the protections that could not be had, in words for the log.
[[nodiscard]] std::vector<std::string> protect_io_process();

}  // namespace dmremap::os
