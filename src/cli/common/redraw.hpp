// SPDX-License-Identifier: GPL-2.0-or-later
// Shows something on a terminal, and shows it anew every two seconds.
#pragma once

#include <functional>
#include <string>

namespace dmremap::cli {

// Clears the terminal and calls `draw`, which prints to stdout and returns an exit code, again and
// again until the user interrupts it. If the first call fails (0 and 4 are no failures), its code
// is returned. If stdout is no terminal, nothing is drawn, and that is an error of usage; `verb` is
// for its message.
int redraw(const std::string& verb, const std::function<int()>& draw);

}  // namespace dmremap::cli
