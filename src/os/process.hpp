// SPDX-License-Identifier: GPL-2.0-or-later
// What a process must arrange that serves the disk its own memory may be written back to
// (promise 11): no page fault, no reclaim and no OOM killer may come between a request and its
// answer.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace dmremap::os {

// Each is for the whole process, to be called before it starts threads. Errors: permission,
// not_supported; the process can go on, less protected.

// Locks all memory, now and later, and bounds what threads made later take (stacks, heaps), because
// all of that is locked too. permission where locked memory is limited. not_supported under
// AddressSanitizer and ThreadSanitizer, whose shadow memory is larger than any machine's.
[[nodiscard]] Result<void> lock_memory();

// Puts memory aside for what is allocated on the I/O path; call when all that lasts is allocated
// and memory is locked. Where this process may not become an I/O flusher, the kernel may let an
// allocation wait for write-back to the very device that the process serves: for ever, with a
// memory cgroup of version 1 (tests/e2e/reclaim_trial.py). So it is asked before there is any.
void reserve_heap();

// Allocations of this process never wait for write-back to a device that it serves itself
// (prctl(2), PR_SET_IO_FLUSHER, Linux 5.6). Threads inherit it from the thread that makes them.
[[nodiscard]] Result<void> become_io_flusher();

// The OOM killer takes others first.
[[nodiscard]] Result<void> avoid_oom_killer();

// All of them; what could not be had, in words for the log.
[[nodiscard]] std::vector<std::string> protect_io_process();

}  // namespace dmremap::os
