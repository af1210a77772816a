// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of bench_metadata: each prints its tables. They throw std::runtime_error where they
// cannot measure.
#pragma once

#include <string>

namespace dmremap::bench {

// A commit to eight copies against one to one copy, and of many remaps against one of one.
void print_commits(const std::string& directory, unsigned pairs);
// Opening a set with a full table.
void print_opening(const std::string& directory, unsigned rounds);
void print_checksums(unsigned rounds);

}  // namespace dmremap::bench
