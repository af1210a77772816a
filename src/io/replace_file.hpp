// SPDX-License-Identifier: GPL-2.0-or-later
// Writes files that a verb produces for people: whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::io {

// Writes `bytes` to `path`. A regular file, also one behind a symbolic link, is replaced in one
// step and keeps its permissions; a pipe or terminal is written to. Errors: usage (a block device
// or a directory), permission (the path goes through a link that belongs to another user), and
// those of writing. After an error the old file is unchanged.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace dmremap::io
