// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "base/uuid.hpp"

namespace dmremap::discovery {

// Fewer digits are taken for no UUID: they are too likely to be those of another set.
inline constexpr std::size_t kLeastUuidDigits = 4;

// True if the UUID as it is written begins with this text, in either case.
[[nodiscard]] bool is_uuid_prefix(std::string_view text, const Uuid& uuid);

}  // namespace dmremap::discovery
