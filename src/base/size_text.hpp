// SPDX-License-Identifier: GPL-2.0-or-later
// The one way in which amounts of data, and counts of things, are written for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.hpp"

namespace dmremap {

// "512 B", "1.5 KiB", "4 TiB": a multiple of 1024 bytes with one decimal, which is left out where
// it is exactly 0.
[[nodiscard]] std::string size_text(SectorCount sectors);

// "1 sector", "2 sectors".
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view thing);

}  // namespace dmremap
