// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.hpp"

namespace dmremap::os {

// The path from the root on, without "." and "..", with its links as they are. The path as given
// where that cannot be told.
[[nodiscard]] std::string absolute(const std::string& path);

// The path as the kernel names it in its mount table. Only the directory is resolved: the last part
// may be a dead mount, which nothing can look at, or not be there yet. Error: that of the
// directory.
[[nodiscard]] Result<std::string> resolve_directory_of(const std::string& path);
// The same; the path as given where the directory is not there.
[[nodiscard]] std::string canonical(const std::string& path);

// Where a symbolic link leads, as a path from the root on: udev writes links relative to their own
// directory. Links on the way are not followed. Empty if it is no link.
[[nodiscard]] std::string link_target(const std::string& link);

}  // namespace dmremap::os
