// SPDX-License-Identifier: GPL-2.0-or-later
// The rule for names of sets.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace dmremap::discovery {

// `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`; so a name is never a path, nor hidden.
[[nodiscard]] bool is_set_name(std::string_view text);
// Error usage, with the rule.
[[nodiscard]] Result<void> check_set_name(std::string_view text);

}  // namespace dmremap::discovery
