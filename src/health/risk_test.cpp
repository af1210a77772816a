// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/risk.hpp"

#include <gtest/gtest.h>

namespace dmremap::health {
namespace {

RiskFacts disk() {
  RiskFacts out;
  out.medium = Medium::disk;
  out.smart_known = true;
  out.reallocated = out.reported = out.pending = out.offline = 0;
  return out;
}

TEST(Risk, WithoutErrorsItIsThatOfTheFleet) {
  EXPECT_EQ(
      text(risk_of(disk())),
      "1 to 4 of 100 such disks fail within a year (Backblaze, fleet of 2025 and disks of 2014 "
      "without errors)");
}

TEST(Risk, TheRowWithTheHighestRateDecides) {
  RiskFacts facts = disk();
  facts.reallocated = 24;
  EXPECT_EQ(text(risk_of(facts)),
            "15 to 28 of 100 such disks fail within a year (Backblaze 2014, attribute 5 at 24)");
  facts.reported = 1;
  EXPECT_EQ(text(risk_of(facts)),
            "20 to 39 of 100 such disks fail within a year (Backblaze 2014, attribute 187 at 1)");
}

TEST(Risk, OurOwnErrorsAreReadAsReportedOnes) {
  RiskFacts facts;
  facts.medium = Medium::disk;
  facts.own_unreadable = 10;
  EXPECT_EQ(text(risk_of(facts)),
            "25 to 38 of 100 such disks fail within a year (Backblaze 2014, 10 bad blocks read as "
            "attribute 187)");
}

TEST(Risk, CountsThatDoNotGrowReachDownToTheFleet) {
  RiskFacts facts = disk();
  facts.pending = 8;
  facts.smart_stable = true;
  const Risk it = risk_of(facts);
  EXPECT_EQ(it.low_of_100, 1U);
  EXPECT_EQ(it.high_of_100, 54U);
}

TEST(Risk, MoreThanOneFailureAYearIsStillAShare) {
  RiskFacts facts = disk();
  facts.pending = 1'000'000;
  const Risk it = risk_of(facts);
  EXPECT_EQ(it.low_of_100, 92U);
  EXPECT_EQ(it.high_of_100, 99U);
}

TEST(Risk, NoDataIsUnknown) {
  RiskFacts facts;
  facts.medium = Medium::disk;
  EXPECT_FALSE(risk_of(facts).known);
  for (const Medium medium : {Medium::unknown, Medium::solid_state, Medium::card, Medium::image}) {
    facts = disk();
    facts.medium = medium;
    facts.own_unreadable = 100;
    EXPECT_EQ(text(risk_of(facts)), "unknown: no table for such devices");
  }
}

}  // namespace
}  // namespace dmremap::health
