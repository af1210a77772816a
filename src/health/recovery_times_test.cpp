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

}  // namespace
}  // namespace dmremap::health
