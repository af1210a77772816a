// SPDX-License-Identifier: GPL-2.0-or-later
// The directory in which running programs are found: sockets, logs, pid files. Shared by the
// product and the lab.
#pragma once

#include <string>

#include "base/result.hpp"

namespace dmremap::os {

// That of root.
inline constexpr const char* kRootRuntimeDirectory = "/run/dmremap";

// A variable of the environment; empty if it is not set.
[[nodiscard]] std::string environment(const char* variable);

// $DMREMAP_RUNTIME_DIR, else /run/dmremap for root, else $XDG_RUNTIME_DIR/dmremap, else
// /run/user/UID/dmremap if that user directory is there, else /tmp/dmremap-UID; absolute. Makes
// nothing; make_runtime_directory() refuses one that belongs to somebody else.
[[nodiscard]] Result<std::string> runtime_directory();

// Makes the directory with mode 0700. If it exists, checks that it belongs to this user and that no
// other user may write to it or exchange a directory on the way to it: else a socket or a mount
// file could be replaced by another user's. Errors: permission, io.
[[nodiscard]] Result<void> make_runtime_directory(const std::string& path);

}  // namespace dmremap::os
