// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon's log: lines on stderr. In the background stderr is a file in the runtime directory,
// which is memory-backed: the log never reaches the device we serve (promise 11). What else stderr
// may be (a journal, a pipe, a terminal) is written to by a thread of its own, for which nobody
// waits.
#pragma once

#include <string_view>

namespace dmremap {

enum class Severity { info, warning, error };

[[nodiscard]] std::string_view name_of(Severity severity);

// Thread-safe; keeps no lock while it writes. Writes at once, until log_without_waiting().
void log(Severity severity, std::string_view line);

// How the thread that writes comes to be: made when there is something to write, or there for good,
// where memory for one that is made later might have to wait for the device that is served.
enum class LogThread { on_demand, kept };

// From now on nobody who logs waits for stderr, unless it is a file in memory: of what is not taken
// 64 KiB are kept, and the rest is dropped and counted (base/log_queue.hpp). Call it before a
// device is served, in the process that serves it; again it does nothing. A process that is forked
// from it writes at once.
void log_without_waiting(LogThread thread);
// Gives what was logged a second to be written. For the end of a process.
void flush_log();

}  // namespace dmremap
