// SPDX-License-Identifier: GPL-2.0-or-later
// Error numbers by their names: "ENODATA".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dmremap::lab {

[[nodiscard]] std::optional<int> errno_by_name(std::string_view name);
// "EIO" for a number without a name.
[[nodiscard]] std::string name_of_errno(int number);

}  // namespace dmremap::lab
