// SPDX-License-Identifier: GPL-2.0-or-later
// The directory in which running programs are found: sockets, logs, pid files. Shared by the
// product and the lab.
#pragma once

#include <string>

#include "base/result.hpp"

namespace dmremap::os {

// A variable of the environment; empty if it is not set.
[[nodiscard]] std::string environment(const char* variable);

// $DMREMAP_RUNTIME_DIR, else /run/dmremap for root, else $XDG_RUNTIME_DIR/dmremap; absolute. Makes
// nothing. Error usage: none of them is there.
[[nodiscard]] Result<std::string> runtime_directory();

// Makes it, mode 0700, or checks that it is ours and that nobody else may write to it or exchange a
// directory on the way to it: else a socket or a mount file could be slipped under us. Errors:
// permission, io.
[[nodiscard]] Result<void> make_runtime_directory(const std::string& path);

}  // namespace dmremap::os
