// SPDX-License-Identifier: GPL-2.0-or-later
// Whole texts through file descriptors that may take or give them in parts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::os {

// Writes all of it at the descriptor's position. `where` is for the message of an error.
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes, const std::string& where);

// Reads until the end of file or an error.
[[nodiscard]] std::string read_to_end(int fd);

// Opens `path` as the standard file `target`. If that fails, the process keeps the file it had.
void redirect(const char* path, int flags, int target);

}  // namespace dmremap::os
