// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of bad blocks as badblocks(8) prints them and e2fsck(8) and mke2fs(8) read them with -l:
// one decimal block number a line. The size of a block is not in the list; it was badblocks' -b.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::lists {

inline constexpr std::uint64_t kBadblocksBlockBytes = 1024;  // the default of badblocks

// Whole sectors, at most 64 MiB. Errors: usage.
[[nodiscard]] Result<void> check_badblocks_size(std::uint64_t block_bytes);

// Any bytes give the sectors of the blocks, in the order of the list, or an error (usage) whose
// `where` is `name:LINE`. Requires a size that check_badblocks_size accepts.
[[nodiscard]] Result<std::vector<SectorRange>> parse_badblocks(std::string_view text,
                                                               const std::string& name,
                                                               std::uint64_t block_bytes);

// Every block that `ranges` (sorted, disjoint) touch, once, in order.
[[nodiscard]] std::string print_badblocks(std::span<const SectorRange> ranges,
                                          std::uint64_t block_bytes);

}  // namespace dmremap::lists
