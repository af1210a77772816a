// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sector_parts.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace dmremap {
namespace {

using Ranges = std::vector<SectorRange>;

Ranges listed(auto parts) {
  Ranges out;
  for (const SectorRange part : parts) out.push_back(part);
  return out;
}

TEST(SectorParts, BlocksAreAlignedAndCutToTheRange) {
  EXPECT_EQ(listed(blocks_in({{6}, {12}}, {8})), (Ranges{{{6}, {2}}, {{8}, {8}}, {{16}, {2}}}));
  EXPECT_EQ(listed(blocks_in({{8}, {8}}, {8})), (Ranges{{{8}, {8}}}));
  EXPECT_EQ(listed(blocks_in({{9}, {3}}, {8})), (Ranges{{{9}, {3}}}));
  EXPECT_EQ(listed(blocks_in({{9}, {0}}, {8})), Ranges{});
}

TEST(SectorParts, ChunksBeginWhereTheRangeDoes) {
  EXPECT_EQ(listed(chunks_of({{6}, {12}}, {5})), (Ranges{{{6}, {5}}, {{11}, {5}}, {{16}, {2}}}));
  EXPECT_EQ(listed(chunks_of({{6}, {10}}, {5})), (Ranges{{{6}, {5}}, {{11}, {5}}}));
  EXPECT_EQ(listed(chunks_of({{6}, {3}}, {5})), (Ranges{{{6}, {3}}}));
  EXPECT_EQ(listed(chunks_of({{6}, {0}}, {5})), Ranges{});
}

TEST(SectorParts, RoundingOutTakesWholeBlocks) {
  EXPECT_EQ(rounded_out({{6}, {12}}, {8}), (SectorRange{{0}, {24}}));
  EXPECT_EQ(rounded_out({{8}, {16}}, {8}), (SectorRange{{8}, {16}}));
}

TEST(AppendRun, JoinsWhatContinuesTheLastRunAlone) {
  std::vector<SectorRange> runs;
  append_run(runs, {{8}, {8}});
  append_run(runs, {{16}, {4}});
  append_run(runs, {{24}, {8}});
  append_run(runs, {{0}, {8}});
  EXPECT_EQ(runs, (std::vector<SectorRange>{{{8}, {12}}, {{24}, {8}}, {{0}, {8}}}));
}

}  // namespace
}  // namespace dmremap
