// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/narrow.hpp"

#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/sector_parts.hpp"

namespace dmremap::remap {
namespace {

struct Narrowed {
  std::vector<SectorRange> failing;
  std::vector<SectorRange> tried;
};

// Sectors in `bad` fail whatever touches them.
Narrowed narrow(SectorRange failed, SectorCount block, SectorCount unit,
                const std::set<std::uint64_t>& bad) {
  Narrowing narrowing(failed, block, unit);
  Narrowed run;
  while (const auto part = narrowing.next()) {
    run.tried.push_back(*part);
    const auto hit = bad.lower_bound(part->first.value);
    narrowing.report(hit == bad.end() || *hit >= part->end().value);
  }
  run.failing = narrowing.failing();
  EXPECT_TRUE(narrowing.untried().empty());
  return run;
}

TEST(Narrowing, FindsTheOneBadUnitOfAMegabyteByBlockThenUnit) {
  const Narrowed run = narrow({{2048}, {2048}}, {8}, {1}, {3003});
  EXPECT_EQ(run.failing, (std::vector<SectorRange>{{{3003}, {1}}}));
  EXPECT_EQ(run.tried.size(), 2048U / 8 + 8);
}

TEST(Narrowing, ARequestOfOneBlockGoesStraightToItsUnits) {
  const Narrowed run = narrow({{8}, {8}}, {8}, {1}, {12});
  EXPECT_EQ(run.failing, (std::vector<SectorRange>{{{12}, {1}}}));
  EXPECT_EQ(run.tried.size(), 8U);
}

TEST(Narrowing, ARequestOfOneUnitNeedsNoMoreTries) {
  const Narrowed run = narrow({{8}, {8}}, {8}, {8}, {12});
  EXPECT_EQ(run.failing, (std::vector<SectorRange>{{{8}, {8}}}));
  EXPECT_TRUE(run.tried.empty());
}

TEST(Narrowing, WhatWasNotTriedInTimeIsNamed) {
  Narrowing narrowing({{0}, {32}}, {8}, {1});
  ASSERT_TRUE(narrowing.next());
  narrowing.report(true);
  ASSERT_TRUE(narrowing.next());
  narrowing.report(false);
  ASSERT_TRUE(narrowing.next());  // unit 8
  narrowing.report(false);
  EXPECT_EQ(narrowing.failing(), (std::vector<SectorRange>{{{8}, {1}}}));
  EXPECT_EQ(narrowing.untried(), (std::vector<SectorRange>{{{9}, {23}}}));
}

RC_GTEST_PROP(Narrowing, FindsExactlyTheBadUnitsAndTriesNothingGoodTwice, ()) {
  const SectorCount unit{*rc::gen::element<std::uint64_t>(1, 2, 8)};
  const SectorCount block{unit.value * *rc::gen::element<std::uint64_t>(1, 4, 8)};
  const auto first = *rc::gen::inRange<std::uint64_t>(0, 40) * unit.value;
  const auto count = *rc::gen::inRange<std::uint64_t>(1, 40) * unit.value;
  const auto bad =
      *rc::gen::container<std::set<std::uint64_t>>(rc::gen::inRange(first, first + count));
  RC_PRE(!bad.empty());
  const Narrowed run = narrow({{first}, {count}}, block, unit, bad);

  std::vector<SectorRange> expected;
  for (std::uint64_t at = first; at < first + count; at += unit.value) {
    const auto hit = bad.lower_bound(at);
    if (hit != bad.end() && *hit < at + unit.value) append_run(expected, {{at}, unit});
  }
  RC_ASSERT(run.failing == expected);
  std::set<std::uint64_t> went_well;
  for (const SectorRange& part : run.tried) {
    const auto hit = bad.lower_bound(part.first.value);
    const bool ok = hit == bad.end() || *hit >= part.end().value;
    for (Sector s = part.first; s < part.end(); s = s + SectorCount{1}) {
      RC_ASSERT(!went_well.contains(s.value));
      if (ok) went_well.insert(s.value);
    }
  }
}

}  // namespace
}  // namespace dmremap::remap
