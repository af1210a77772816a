// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers as people type them on a command line. Errors have the class `usage`.
//
// A unit is B, K, M, G or T, in either case but for B, or KiB, MiB, GiB or TiB. K is 1024 bytes
// however it is written, as it is for what lvm2 takes. KB, which others use for 1000 as well as for
// 1024, is none.
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

// A number of sectors, decimal or with 0x hexadecimal; or bytes with a unit, a whole number of
// sectors.
[[nodiscard]] Result<Sector> parse_sector(std::string_view text);

// `SECTOR`, `SECTOR+COUNT` or `FIRST-LAST`, each part as parse_sector takes it. LAST is in the
// range if it is a sector; if it is bytes with a unit, the range ends before it, so that
// `1GiB-2GiB` is one GiB. Never empty, and it ends at or before kAddressLimitSectors.
[[nodiscard]] Result<SectorRange> parse_range(std::string_view text);

// Bytes: a whole number, plain or with a unit.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

}  // namespace dmremap
