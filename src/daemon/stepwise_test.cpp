// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/stepwise.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::daemon {
namespace {

using std::chrono::milliseconds;

constexpr SectorCount kLargest{2048};
constexpr SectorRange kRange{{1000}, {10'000}};

constexpr auto kNever = [] { return false; };

TEST(Stepwise, StepsCoverTheRangeAndGrowToTheLargest) {
  std::vector<SectorRange> steps;
  const auto left = stepwise(kRange, kLargest, kNever, [&](SectorRange part) -> Result<void> {
    steps.push_back(part);
    return {};
  });
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->empty());
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(steps.front().count, kSmallestStep);
  Sector at = kRange.first;
  bool reached = false;
  for (const SectorRange& step : steps) {
    EXPECT_EQ(step.first, at);
    EXPECT_LE(step.count, kLargest);
    reached = reached || step.count == kLargest;
    at = step.end();
  }
  EXPECT_EQ(at, kRange.end());
  EXPECT_TRUE(reached);
}

TEST(Stepwise, AfterASlowStepTheNextIsSmall) {
  std::vector<SectorCount> sizes;
  (void)stepwise(kRange, kLargest, kNever, [&](SectorRange part) -> Result<void> {
    sizes.push_back(part.count);
    if (sizes.size() == 3) std::this_thread::sleep_for(kQuickStep + milliseconds(50));
    return {};
  });
  ASSERT_GT(sizes.size(), 3U);
  EXPECT_GT(sizes[2], kSmallestStep);
  EXPECT_EQ(sizes[3], kSmallestStep);
}

TEST(Stepwise, EndsBetweenTwoStepsAndSaysWhatIsLeft) {
  int asked = 0;
  const auto left = stepwise(
      kRange, kLargest, [&] { return ++asked > 2; },
      [](SectorRange /*part*/) -> Result<void> { return {}; });
  ASSERT_TRUE(left);
  EXPECT_EQ(left->first.value, kRange.first.value + 3 * kSmallestStep.value);
  EXPECT_EQ(left->end(), kRange.end());
}

TEST(Stepwise, TheFirstErrorEndsIt) {
  int steps = 0;
  const auto left = stepwise(kRange, kLargest, kNever, [&](SectorRange /*part*/) -> Result<void> {
    if (++steps < 3) return {};
    return fail(ErrorCode::spare_full, "the spare is full");
  });
  ASSERT_FALSE(left);
  EXPECT_EQ(left.error().code, ErrorCode::spare_full);
  EXPECT_EQ(steps, 3);
}

}  // namespace
}  // namespace dmremap::daemon
