// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers as people type them on a command line. Errors have the class `usage`.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap {

// Addresses end here: 2^40 sectors, 512 TiB.
inline constexpr std::uint64_t kAddressLimitSectors = std::uint64_t{1} << 40;

// A decimal number without sign, blanks or suffix.
[[nodiscard]] Result<std::uint64_t> parse_number(std::string_view text);

// `SECTOR` or `SECTOR+COUNT`; never empty, and it ends at or before kAddressLimitSectors.
[[nodiscard]] Result<SectorRange> parse_range(std::string_view text);

// Bytes: a whole number, plain or with KiB, MiB, GiB or TiB.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace dmremap
