// SPDX-License-Identifier: GPL-2.0-or-later
// Messages over sockets are JSON, one object a line.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "base/result.hpp"

namespace dmremap::os {

// Prints an object as one line, without the line end. Bytes that are not UTF-8 (a path may hold
// any) are replaced.
[[nodiscard]] std::string to_line(const nlohmann::json& json);

// {"code","what","where","hint"}, and back. A code of another version becomes `internal`.
[[nodiscard]] nlohmann::json to_json(const Error& error);
[[nodiscard]] Error error_from_json(const nlohmann::json& json);

}  // namespace dmremap::os
