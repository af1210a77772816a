// SPDX-License-Identifier: GPL-2.0-or-later
// Work that may leave threads behind that hang in a device (parallel_tasks.hpp): the kernel ends a
// process only when the last of them has let go.
#pragma once

#include <functional>

namespace dmremap::os {

// Does the work in a child process, and returns what it returned as soon as it has: a thread that
// hangs keeps the child, and nobody who waits for this process. All files of the child are closed
// then. If the child dies instead, returns 128 and the number of the signal, as a shell does; it
// dies with this process. Call it while the process has one thread.
//
// The work may fork. It returns in such processes as well, and so does this function.
int run_in_child(const std::function<int()>& work);

}  // namespace dmremap::os
