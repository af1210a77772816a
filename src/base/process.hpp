// SPDX-License-Identifier: GPL-2.0-or-later
// What a process must arrange that serves the disk its own memory may be written back to
// (promise 11): no page fault, no reclaim and no OOM killer may come between a request and its
// answer.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace dmremap {

// Each is for the whole process, to be called before it starts threads. Errors: permission,
// not_supported; the process can go on, less protected.

// Locks all memory, now and later, and bounds what threads made later take (stacks, heaps), because
// all of that is locked too. permission where locked memory is limited. not_supported under
// AddressSanitizer and ThreadSanitizer, whose shadow memory is larger than any machine's.
[[nodiscard]] Result<void> lock_memory();

// Allocations of this process never wait for write-back to a device that it serves itself
// (prctl(2), PR_SET_IO_FLUSHER, Linux 5.6). Threads inherit it from the thread that makes them.
[[nodiscard]] Result<void> become_io_flusher();

// The OOM killer takes others first.
[[nodiscard]] Result<void> avoid_oom_killer();

// All of them; what could not be had, in words for the log.
[[nodiscard]] std::vector<std::string> protect_io_process();

}  // namespace dmremap
