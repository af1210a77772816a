// SPDX-License-Identifier: GPL-2.0-or-later
// The latest events of the kinds that the health section of version 1 does not know: an optional
// section of a body, "history". A program that does not know it carries it along. Events of the
// past stay true, so unlike other optional sections it is valid in every commit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "format/event.hpp"

namespace dmremap::format {

inline constexpr std::uint16_t kHistoryType = 9;
inline constexpr std::size_t kHistoryBytes = 2048;
inline constexpr std::size_t kHistoryEvents = 31;

// `out` is zeroed and kHistoryBytes long; at most kHistoryEvents events, oldest first.
void pack_history(const std::vector<Event>& events, std::span<std::byte> out);
// Empty if the bytes are no such section.
[[nodiscard]] std::optional<std::vector<Event>> unpack_history(std::span<const std::byte> from);

}  // namespace dmremap::format
