// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes as text (RFC 4648, section 4: with padding, without line ends).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dmremap {

[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);
// Total: nothing, for what is no such text.
[[nodiscard]] std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace dmremap
