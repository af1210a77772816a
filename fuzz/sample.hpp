// SPDX-License-Identifier: GPL-2.0-or-later
// What the fuzzers start from: contents, bodies and seals that are right.
#pragma once

#include <vector>

#include "format/body.hpp"
#include "format/seal.hpp"

namespace dmremap::fuzz {

inline constexpr SectorCount kSpareSize = format::kMinSpareSize;

// Which of a few contents: 0 new set, 1 some of each state, 2 all events and unknown sections,
// 3 a table of two blocks.
inline constexpr unsigned kSampleContents = 4;
[[nodiscard]] format::Content sample_content(unsigned which, unsigned set = 1);

// One commit, to be laid into any copy.
struct Commit {
  format::Seal seal;
  std::vector<std::byte> body;

  // The seal block for this place; `claimed` is where the seal says that it is.
  [[nodiscard]] std::vector<std::byte> seal_block(format::SlotAddress claimed) const;
};

// `id` tells commits of the same sequence and term apart.
[[nodiscard]] Commit sample_commit(const format::Content& content, std::uint64_t sequence,
                                   std::uint64_t term, unsigned id);

}  // namespace dmremap::fuzz
