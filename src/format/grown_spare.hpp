// SPDX-License-Identifier: GPL-2.0-or-later
// The size of a spare that became larger after the set was made, as a section of a body.
//
// The copies of the metadata stay where the size at `create` put them, and that size stays in the
// seal and in the identity. Data may lie up to the size that this section names. It is required: a
// program that does not know it must not use the set, because it would call entries that lie in the
// new room damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/units.hpp"

namespace dmremap::format {

inline constexpr std::uint16_t kGrownSpareType = 13;
inline constexpr std::size_t kGrownSpareBytes = 64;

// `out` is zeroed and kGrownSpareBytes long.
void pack_grown_spare(SectorCount size, std::span<std::byte> out);
// Empty if the bytes are no such section. Whether the size is larger than the one at `create` is
// for the caller to check.
[[nodiscard]] std::optional<SectorCount> unpack_grown_spare(std::span<const std::byte> from);

// The text of the event of a growth.
[[nodiscard]] std::string growth_text(SectorCount before, SectorCount now);

}  // namespace dmremap::format
