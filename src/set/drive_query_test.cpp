// SPDX-License-Identifier: GPL-2.0-or-later
// Where main's drive is found in /sys, and smartctl that is missing, hangs or prints rubbish. The
// drives are made up: this machine has none with SMART, and an enclosure that answers for another
// bay cannot be had at will.
#include "set/drive_query.hpp"

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::set {
namespace {

namespace fs = std::filesystem;
using health::Medium;
using health::SmartReading;
using health::SmartState;

class DrivePlaceTest : public ::testing::Test {
 protected:
  // A disk at `path` below devices/, with the number 8:`minor`.
  void add_disk(const std::string& path, unsigned minor, const std::string& rotational = "1") {
    const std::string here = sys + "/devices/" + path;
    const std::string name = path.substr(path.rfind('/') + 1);
    fs::create_directories(here + "/queue");
    fs::create_directories(here + "/device");
    write(here + "/uevent", "MAJOR=8\nDEVNAME=" + name + "\nDEVTYPE=disk\n");
    write(here + "/size", "2000000\n");
    write(here + "/queue/rotational", rotational + "\n");
    write(here + "/device/timeout", "30\n");
    link(here, minor);
    fs::create_directories(sys + "/block");
    fs::create_directory_symlink(here, sys + "/block/" + name);
  }
  void add_partition(const std::string& path, unsigned minor) {
    const std::string here = sys + "/devices/" + path;
    fs::create_directories(here);
    write(here + "/partition", "1\n");
    write(here + "/start", "2048\n");
    link(here, minor);
  }
  static void write(const std::string& file, const std::string& text) {
    std::ofstream(file) << text;
  }
  void link(const std::string& target, unsigned minor) const {
    fs::create_directories(sys + "/dev/block");
    fs::create_directory_symlink(target, sys + "/dev/block/8:" + std::to_string(minor));
  }

  TemporaryDirectory directory;
  const std::string sys = fs::canonical(directory.path()).string() + "/sys";
};

constexpr const char* kSata = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
constexpr const char* kUsb =
    "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
constexpr const char* kUsbOtherBay =
    "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:1/block/sdc";

TEST_F(DrivePlaceTest, APartitionLiesOnItsDisk) {
  add_disk(kSata, 0);
  add_partition(std::string(kSata) + "/sda1", 1);
  const DrivePlace place = drive_of(makedev(8, 1), sys);
  EXPECT_EQ(place.node, "/dev/sda");
  EXPECT_EQ(place.main_first, Sector{2048});
  EXPECT_EQ(place.size.value, 2'000'000U);
  EXPECT_EQ(place.kernel_timeout_s, 30U);
  EXPECT_EQ(place.medium, Medium::disk);
  EXPECT_FALSE(place.behind_usb);
  EXPECT_EQ(drive_of(makedev(8, 0), sys).main_first, Sector{});
}

TEST_F(DrivePlaceTest, ABridgeWithTwoBaysIsToldFromOneWithOne) {
  add_disk(kUsb, 16, "0");
  EXPECT_TRUE(drive_of(makedev(8, 16), sys).behind_usb);
  EXPECT_TRUE(drive_of(makedev(8, 16), sys).alone_behind_bridge);
  EXPECT_EQ(drive_of(makedev(8, 16), sys).medium, Medium::solid_state);
  add_disk(kUsbOtherBay, 32);
  EXPECT_FALSE(drive_of(makedev(8, 16), sys).alone_behind_bridge);
}

TEST_F(DrivePlaceTest, CardsAndWhatIsMadeOfOtherDevices) {
  add_disk("platform/mmc0/mmc0:0001/block/mmcblk0", 0, "0");
  add_disk("virtual/block/dm-3", 1);
  EXPECT_EQ(drive_of(makedev(8, 0), sys).medium, Medium::card);
  EXPECT_EQ(drive_of(makedev(8, 1), sys).medium, Medium::unknown);
  EXPECT_EQ(drive_of(makedev(8, 99), sys).node, "");
}

TEST_F(DrivePlaceTest, AnImageFileHasNoDrive) {
  write(directory.path() + "/image", "x");
  EXPECT_EQ(drive_of(directory.path() + "/image").medium, Medium::image);
  EXPECT_EQ(drive_of(directory.path() + "/image").node, "");
}

TEST(DriveAnswers, PlacesOfTheDiskBecomePlacesOfMain) {
  const std::array<SectorRange, 4> ranges{
      SectorRange{{0}, {8}}, {{96}, {8}}, {{500}, {8}}, {{1'096}, {8}}};
  EXPECT_EQ(on_main(ranges, {100}, {1'000}),
            (std::vector<SectorRange>{{{0}, {4}}, {{400}, {8}}, {{996}, {4}}}));
}

SmartReading answer_of(const std::string& serial) {
  SmartReading out;
  out.state = SmartState::read;
  out.serial = serial;
  out.capacity_bytes = 2'000'000ULL * kSectorBytes;
  out.defects = {{{2'100}, {1}}};
  return out;
}

TEST(DriveAnswers, OnlyTheDisksOwnWordCounts) {
  const DrivePlace place{"/dev/sda", "", {2'000'000}, {2'048}, false, false, Medium::disk, 30};
  health::DiskIdentity disk;
  disk.serial = "WD-1";
  disk.capacity_bytes = place.size.bytes();
  const DriveAnswer own = judge_answer(place, answer_of("WD-1"), disk, {100'000});
  EXPECT_TRUE(own.believed);
  EXPECT_EQ(own.reason, "");
  EXPECT_EQ(own.defects, (std::vector<SectorRange>{{{52}, {1}}}));
  const DriveAnswer other = judge_answer(place, answer_of("WD-2"), disk, {100'000});
  EXPECT_FALSE(other.believed);
  EXPECT_NE(other.reason.find("WD-2"), std::string::npos) << other.reason;
  EXPECT_TRUE(other.defects.empty()) << "it is another disk that has them";
}

TEST(DriveAnswers, WhoAdoptsADiskHearsWhatItSaysOfItself) {
  const DrivePlace place{"/dev/sda", "", {2'000'000}, {2'048}, false, false, Medium::disk, 30};
  health::DiskIdentity disk;
  disk.serial = "WD-1";
  SmartReading reading = answer_of("WD-1");
  reading.passed = false;
  reading.read_recovery = health::ErrorRecovery{false, 0};
  const auto warnings = warnings_of(judge_answer(place, reading, disk, {100'000}));
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_NE(warnings[0].find("expects to fail"), std::string::npos);
  EXPECT_NE(warnings[1].find("1 sectors"), std::string::npos);
  EXPECT_NE(warnings[2].find("timeout"), std::string::npos);
  disk.serial = "WD-2";
  EXPECT_TRUE(warnings_of(judge_answer(place, reading, disk, {100'000})).empty());
}

// smartctl is a script, found in PATH before any other.
class DriveQueryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("PATH");
    former_ = path == nullptr ? "" : path;
  }
  void TearDown() override { ::setenv("PATH", former_.c_str(), 1); }

  void smartctl(const std::string& script) {
    const std::string file = directory.path() + "/smartctl";
    std::ofstream(file) << "#!/bin/sh\n" << script;
    ASSERT_EQ(::chmod(file.c_str(), 0700), 0);
    ::setenv("PATH", (directory.path() + ":" + former_).c_str(), 1);
  }
  // A block device of this machine, whatever it is.
  static std::string some_device() {
    for (const auto& entry : fs::directory_iterator("/dev")) {
      if (!entry.is_block_file()) continue;
      if (!drive_of(entry.path().string()).node.empty()) return entry.path().string();
    }
    return {};
  }
  DriveAnswer ask() {
    DriveQuery query([] { return some_device(); }, {1'000});
    return query.ask("", [] { return true; });
  }

  TemporaryDirectory directory;
  std::string former_;
};

TEST_F(DriveQueryTest, Promise13_IsAskedWithoutWakingTheDisk) {
  if (some_device().empty()) GTEST_SKIP() << "no block device here";
  smartctl("echo \"$@\" > " + directory.path() + "/asked\nexit 2\n");
  EXPECT_FALSE(ask().believed);
  std::string asked;
  std::getline(std::ifstream(directory.path() + "/asked"), asked);
  EXPECT_NE(asked.find("-n standby"), std::string::npos) << asked;
  EXPECT_NE(asked.find("defects,255"), std::string::npos) << asked;
}

TEST_F(DriveQueryTest, RubbishIsNoAnswer) {
  if (some_device().empty()) GTEST_SKIP() << "no block device here";
  smartctl("echo '{\"json_format_version\": [1'\n");
  const DriveAnswer answer = ask();
  EXPECT_EQ(answer.reading.state, SmartState::unreadable);
  EXPECT_FALSE(answer.believed);
  EXPECT_FALSE(answer.reason.empty());
}

TEST_F(DriveQueryTest, WhatIsNotThereOrIsKilledIsNoAnswer) {
  if (some_device().empty()) GTEST_SKIP() << "no block device here";
  smartctl("kill -9 $$\n");
  EXPECT_NE(ask().reason.find("signal 9"), std::string::npos) << ask().reason;
}

TEST_F(DriveQueryTest, AStopDoesNotWaitForOneThatHangs) {
  if (some_device().empty()) GTEST_SKIP() << "no block device here";
  smartctl("sleep 1000\n");
  DriveQuery query([] { return some_device(); }, {1'000});
  int asked = 0;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(query.ask("", [&] { return ++asked < 3; }).believed);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
}

}  // namespace
}  // namespace dmremap::set
