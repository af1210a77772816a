// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of bench_engine: each prints its tables. They throw std::runtime_error where they
// cannot measure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dmremap::bench {

// Requests when a part of what they touch is on the spare, against none of it.
void print_remapped(const std::string& directory, std::size_t requests, unsigned pairs);
// From a write that fails on main to its acknowledgement, for so many at once.
void print_first_errors(const std::string& directory, const std::vector<unsigned>& bursts,
                        unsigned rounds);
// The same, opening and memory, with ever more extents in memory.
void print_growth(const std::vector<std::uint64_t>& sizes, unsigned rounds);

}  // namespace dmremap::bench
