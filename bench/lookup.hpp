// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of bench_lookup: each prints its tables.
#pragma once

#include <cstdint>
#include <vector>

namespace dmremap::bench {

// Where a request goes: ours against others, hit and miss. Sizes are numbers of extents.
void print_lookups(const std::vector<std::uint64_t>& sizes, std::size_t lookups, unsigned rounds);
// What an extent takes, with one change in flight.
void print_memory(const std::vector<std::uint64_t>& sizes);
// What publishing a change costs the writer and readers.
void print_publishing(const std::vector<std::uint64_t>& sizes, unsigned milliseconds,
                      unsigned rounds);

}  // namespace dmremap::bench
