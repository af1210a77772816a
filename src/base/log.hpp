// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon's log: lines on stderr, one write(2) each. In the background stderr is a file in the
// runtime directory, which is memory-backed: the log never reaches the device we serve (promise
// 11).
#pragma once

#include <string_view>

namespace dmremap {

enum class Severity { info, warning, error };

[[nodiscard]] std::string_view name_of(Severity severity);

// Thread-safe; keeps no lock while it writes.
void log(Severity severity, std::string_view line);

}  // namespace dmremap
