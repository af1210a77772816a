// SPDX-License-Identifier: GPL-2.0-or-later
// What alarms are worth: a simulated fleet is watched for a year by the verdict, with nothing but
// what a set sees itself, and each alarm is held against what became of the disk within the year
// after.
//
// The fleet (shares a year, and where they come from):
//   - 1.3 % fail without any sign. Over half of failed disks showed none (Pinheiro, FAST 2007).
//   - 5 % begin to lose sectors, as the test source has it (disk_lives.hpp). Each bad area is the
//     beginning of the end with a probability of 3 %: about a third of such disks then fails within
//     a year, as Backblaze 2014 has it for disks with one reported error. The end comes 20 days
//     later on average, with more and larger areas on the way.
//   - 2 % have one bad block that means nothing, and 5 % one dropout (a cable).
// A bad area is found when the scan comes by, up to 14 days later. A disk also fails when its spare
// is full.
#pragma once

#include <cstdint>
#include <vector>

#include "health/verdict.hpp"

namespace dmremap::health::calibration {

// The first day with a verdict at least this bad.
struct Alarms {
  std::uint64_t alarms = 0;
  std::uint64_t right = 0;    // the disk failed within 365 days
  std::uint64_t in_time = 0;  // of the failures within the year, those with an alarm before
  double lead_days_quarter = 0;
  double lead_days_median = 0;
  double lead_days_three_quarters = 0;

  [[nodiscard]] double precision() const;
};

struct VerdictTrial {
  std::uint64_t disks = 0;
  std::uint64_t failures = 0;             // within the year
  std::uint64_t failures_with_signs = 0;  // of these, something was seen before
  Alarms watch;
  Alarms replace_soon;
  Alarms replace_now;

  [[nodiscard]] double recall(const Alarms& alarms) const;
  [[nodiscard]] double recall_with_signs(const Alarms& alarms) const;
};

[[nodiscard]] VerdictTrial try_verdict(unsigned disks, std::uint64_t seed);

}  // namespace dmremap::health::calibration
