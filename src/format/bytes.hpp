// SPDX-License-Identifier: GPL-2.0-or-later
// Byte strings and fixed-width texts inside disk structures.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dmremap::format {

[[nodiscard]] bool all_zero(std::span<const std::byte> bytes);

void put_bytes(std::span<std::byte> to, std::size_t offset, std::span<const std::byte> bytes);
void get_bytes(std::span<const std::byte> from, std::size_t offset, std::span<std::byte> bytes);

// Writes `text` without padding; the rest of the field must be zero already.
void put_text(std::span<std::byte> to, std::size_t offset, std::string_view text);
// Writes at most `width` bytes of `text`, padded with zeros.
void put_padded(std::span<std::byte> to, std::size_t offset, std::size_t width,
                std::string_view text);
// Empty if bytes follow the first zero, or if there is a control character.
[[nodiscard]] std::optional<std::string> get_padded(std::span<const std::byte> from,
                                                    std::size_t offset, std::size_t width);

}  // namespace dmremap::format
