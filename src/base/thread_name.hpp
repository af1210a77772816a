// SPDX-License-Identifier: GPL-2.0-or-later
// Names for threads, as `top -H` and /proc/PID/task/*/comm show them; docs/architecture.md says
// what each is for.
#pragma once

namespace dmremap {

// Names the calling thread; at most 15 characters are kept.
void name_this_thread(const char* name);

}  // namespace dmremap
