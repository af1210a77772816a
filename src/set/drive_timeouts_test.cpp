// SPDX-License-Identifier: GPL-2.0-or-later
// The drive and its place in /sys are made up, for this machine has no drive that can be set: what
// smartctl is told is recorded.
#include "set/drive_timeouts.hpp"

#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

#include "io/replace_file.hpp"
#include "os/sysfs.hpp"
#include "rig/temporary_directory.hpp"

namespace dmremap::set {
namespace {

using health::ErrorRecovery;

class DriveTimeoutsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(sys + "/device");
    write(sys + "/device/timeout", "30");
  }
  static void write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(io::write_file(path, text));
  }
  std::unique_ptr<DriveTimeouts> timeouts(bool wanted = true) {
    DriveTimeouts::Parts parts;
    parts.wanted = wanted;
    parts.file = file;
    parts.deadline_ms = 30'000;
    parts.tries = 2;
    parts.smartctl = [this](const std::vector<std::string>& words) -> Result<void> {
      if (refuses) return fail(ErrorCode::io, "ended with 4", "smartctl");
      told.push_back(words.at(words.size() - 2));
      EXPECT_EQ(words.back(), "/dev/sdx");
      return {};
    };
    return std::make_unique<DriveTimeouts>(std::move(parts));
  }
  // The drive says what it was told last.
  DriveAnswer answer(std::optional<std::uint32_t> tenths, const std::string& serial = "WD-1") {
    DriveAnswer out;
    out.place.node = "/dev/sdx";
    out.place.directory = sys;
    out.place.kernel_timeout_s = kernel();
    out.reading.state = health::SmartState::read;
    out.reading.serial = serial;
    if (tenths) {
      out.reading.read_recovery = ErrorRecovery{*tenths != 0, *tenths};
      out.reading.write_recovery = ErrorRecovery{true, 80};
    }
    out.believed = true;
    return out;
  }
  std::uint64_t kernel() { return std::stoul(os::read_attribute(sys + "/device/timeout")); }

  TemporaryDirectory directory;
  const std::string sys = directory.path() + "/sdx";
  const std::string file = directory.path() + "/kept";
  std::vector<std::string> told;
  bool refuses = false;
};

TEST_F(DriveTimeoutsTest, NothingIsChangedUnlessItIsAskedFor) {
  EXPECT_FALSE(timeouts(false)->take(answer(0)));
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(kernel(), 30U);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(DriveTimeoutsTest, IsBoundedLiftedForLostSectorsAndPutBackAtTheStop) {
  const auto set = timeouts();
  const auto report = set->take(answer(0));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->times.read, (ErrorRecovery{true, 150}));
  EXPECT_EQ(report->text,
            "until the set stops, the drive tries a bad sector for 15.0 s (before: as long as it "
            "likes)");
  EXPECT_EQ(told, std::vector<std::string>{"scterc,150,80"});
  set->begin_round();
  EXPECT_EQ(told.back(), "scterc,0,80");
  EXPECT_EQ(kernel(), 180U);
  set->end_round();
  EXPECT_EQ(told.back(), "scterc,150,80");
  EXPECT_EQ(kernel(), 30U);
  set->restore();
  EXPECT_EQ(told.back(), "scterc,0,80");
  EXPECT_EQ(kernel(), 30U);
  EXPECT_FALSE(std::filesystem::exists(file));
  set->end_round();
  EXPECT_FALSE(set->take(answer(0)));
  EXPECT_EQ(told.size(), 4U) << "after the stop nothing is set";
}

TEST_F(DriveTimeoutsTest, AKilledRunIsPutBackByTheNextStart) {
  (void)timeouts()->take(answer(0));
  EXPECT_FALSE(timeouts(false)->take(answer(150)));
  EXPECT_EQ(told.back(), "scterc,0,80");
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(DriveTimeoutsTest, OrTheNextStartGoesOnAndStillKnowsWhatWasSetBefore) {
  (void)timeouts()->take(answer(0));
  const auto next = timeouts();
  EXPECT_TRUE(next->take(answer(150)));
  EXPECT_EQ(told.size(), 1U) << "it is set already";
  next->restore();
  EXPECT_EQ(told.back(), "scterc,0,80");
}

TEST_F(DriveTimeoutsTest, AfterAStopThatCameToNothingItIsBoundedAgain) {
  const auto set = timeouts();
  (void)set->take(answer(0));
  set->restore();
  EXPECT_FALSE(set->take(answer(0)));
  set->go_on();
  EXPECT_TRUE(set->take(answer(0)));
  EXPECT_EQ(told.back(), "scterc,150,80");
  // A drive that cannot be put back is not forgotten.
  refuses = true;
  set->restore();
  refuses = false;
  set->go_on();
  EXPECT_TRUE(set->take(answer(150)));
  set->restore();
  EXPECT_EQ(told.back(), "scterc,0,80");
}

TEST_F(DriveTimeoutsTest, ADriveThatLostPowerIsSetAgain) {
  const auto set = timeouts();
  (void)set->take(answer(0));
  EXPECT_TRUE(set->take(answer(0)));
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(DriveTimeoutsTest, AnotherDriveDoesNotGetTheSettingsOfTheOneBefore) {
  (void)timeouts()->take(answer(0));
  EXPECT_FALSE(timeouts(false)->take(answer(70, "WD-2")));
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(DriveTimeoutsTest, WithoutErcTheKernelWaits) {
  const auto set = timeouts();
  const auto report = set->take(answer(std::nullopt));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->text, "until the set stops, the drive is waited for 180 s (before: 30 s)");
  EXPECT_EQ(kernel(), 180U);
  set->restore();
  EXPECT_EQ(kernel(), 30U);
  EXPECT_TRUE(told.empty());
}

TEST_F(DriveTimeoutsTest, WithoutAPlaceForTheFormerValuesNothingIsChanged) {
  std::filesystem::create_directories(file);
  EXPECT_FALSE(timeouts()->take(answer(0)));
  EXPECT_TRUE(told.empty());
}

TEST_F(DriveTimeoutsTest, WhatCannotBePutBackIsKept) {
  const auto set = timeouts();
  (void)set->take(answer(0));
  refuses = true;
  set->restore();
  EXPECT_TRUE(std::filesystem::exists(file)) << "the next start tries again";
}

TEST_F(DriveTimeoutsTest, AFileOfRubbishIsIgnored) {
  write(file, "{\"serial\": \"WD-1\", \"read\": \"x\"");
  EXPECT_FALSE(timeouts(false)->take(answer(0)));
  EXPECT_TRUE(told.empty());
}

}  // namespace
}  // namespace dmremap::set
