// SPDX-License-Identifier: GPL-2.0-or-later
// Metadata comes from a disk: what it says is checked before anything relies on it.
#pragma once

#include "base/result.hpp"
#include "format/content.hpp"
#include "remap/engine.hpp"

namespace dmremap::remap {

// Whether the table of `content` can be that of a set of these devices. Errors: metadata_doubtful,
// block_size.
[[nodiscard]] Result<void> check_content(const EngineParts& parts, const format::Content& content);

}  // namespace dmremap::remap
