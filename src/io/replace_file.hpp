// SPDX-License-Identifier: GPL-2.0-or-later
// Files that a verb writes for people: whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::io {

// `bytes` for what was at `path`: a regular file, also through a link, is replaced at once and
// keeps its permissions; a pipe or terminal is written to. Errors: usage (a block device or a
// directory), permission (the path goes through a link that belongs to another user), those of
// writing; then what was there is as it was.
[[nodiscard]] Result<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace dmremap::io
