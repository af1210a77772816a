// SPDX-License-Identifier: GPL-2.0-or-later
// Whole texts through file descriptors that may take or give them in parts.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::os {

// Writes all of it at the descriptor's position. `where` is for the message of an error.
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes, const std::string& where);

// All that comes until the end, or until an error.
[[nodiscard]] std::string read_to_end(int fd);

// Points a standard file at a path; without it the process merely keeps what it had.
void redirect(const char* path, int flags, int target);

}  // namespace dmremap::os
