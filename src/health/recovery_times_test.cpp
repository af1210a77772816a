// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/recovery_times.hpp"

#include <gtest/gtest.h>

namespace dmremap::health {
namespace {

SmartReading drive(std::optional<ErrorRecovery> read) {
  SmartReading out;
  out.state = SmartState::read;
  out.read_recovery = read;
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(RecoveryAdvice, ADriveWithoutALimitNeedsAPatientKernel) {
  for (const auto& recovery :
       {std::optional<ErrorRecovery>(), std::optional<ErrorRecovery>({false, 0})}) {
    const std::string text = recovery_advice(drive(recovery), 30, "/dev/sdb");
    EXPECT_TRUE(has(text, "30 s")) << text;
    EXPECT_TRUE(has(text, "echo 180 > /sys/block/sdb/device/timeout")) << text;
    EXPECT_EQ(recovery_advice(drive(recovery), 180, "/dev/sdb"), "");
  }
}

TEST(RecoveryAdvice, AShortLimitGivesUpWhatCouldBeRead) {
  const std::string text = recovery_advice(drive(ErrorRecovery{true, 70}), 30, "/dev/sdb");
  EXPECT_TRUE(has(text, "7.0 s")) << text;
  EXPECT_TRUE(has(text, "scterc,0,0 /dev/sdb")) << text;
  EXPECT_TRUE(has(text, "echo 180")) << "without it the longer try ends in a reset: " << text;
  EXPECT_FALSE(has(recovery_advice(drive(ErrorRecovery{true, 70}), 180, "/dev/sdb"), "echo 180"));
}

TEST(RecoveryAdvice, ALimitBeyondTheKernelsIsNone) {
  const std::string text = recovery_advice(drive(ErrorRecovery{true, 600}), 30, "/dev/sdb");
  EXPECT_TRUE(has(text, "60.0 s")) << text;
  EXPECT_TRUE(has(text, "echo 180")) << text;
}

TEST(RecoveryAdvice, SaysNothingOfWhatIsNotKnown) {
  EXPECT_EQ(recovery_advice(drive(ErrorRecovery{true, 70}), std::nullopt, "/dev/nvme0n1"), "");
  EXPECT_EQ(recovery_advice(SmartReading{}, 30, "/dev/sdb"), "");
}

constexpr ErrorRecovery kUnlimited{};

TEST(RecoveryTimes, ABadSectorIsGivenUpWithinTheDeadlineOfARequest) {
  const RecoveryTimes former{kUnlimited, kUnlimited, 30};
  const RecoveryTimes bounded = bounded_times(former, 30'000, 2);
  EXPECT_EQ(bounded.read, (ErrorRecovery{true, 150}));
  EXPECT_EQ(bounded.write, kUnlimited) << "writes are not touched";
  EXPECT_EQ(bounded.kernel_timeout_s, 30U);
  EXPECT_EQ(bounded_times(former, 120'000, 2).kernel_timeout_s, 120U)
      << "the kernel must not reset a drive that still tries";
  EXPECT_EQ(bounded_times(former, 100, 16).read, (ErrorRecovery{true, 1}));
}

TEST(RecoveryTimes, WhatIsStricterStays) {
  const RecoveryTimes former{ErrorRecovery{true, 70}, ErrorRecovery{true, 70}, 180};
  EXPECT_EQ(bounded_times(former, 30'000, 2), former);
}

TEST(RecoveryTimes, AnUnlimitedDriveNeedsAPatientKernel) {
  EXPECT_EQ(bounded_times({std::nullopt, std::nullopt, 30}, 30'000, 2).kernel_timeout_s, 180U);
  const RecoveryTimes nvme;
  EXPECT_EQ(bounded_times(nvme, 30'000, 2), nvme);
}

TEST(RecoveryTimes, LostSectorsAreTriedForAsLongAsTheDriveLikes) {
  const RecoveryTimes former{ErrorRecovery{true, 70}, ErrorRecovery{true, 80}, 30};
  const RecoveryTimes lifted = lifted_times(former);
  EXPECT_EQ(lifted.read, kUnlimited);
  EXPECT_EQ(lifted.write, (ErrorRecovery{true, 80}));
  EXPECT_EQ(lifted.kernel_timeout_s, 180U);
}

}  // namespace
}  // namespace dmremap::health
