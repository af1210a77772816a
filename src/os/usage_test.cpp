// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/usage.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dmremap::os {
namespace {

namespace fs = std::filesystem;

// A made-up /sys: disk vd (250:0) with partitions vd1 (250:1) and vd2 (250:2), dm-0 (251:0) on
// vd1, and loop7 (7:77) on a real image file.
class UsageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dmremap-usage-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    image_ = (root_ / "image").string();
    put(root_ / "image", "x");
    views_.sys = (root_ / "sys").string();
    views_.proc = (root_ / "proc").string();
    const fs::path devices = root_ / "sys/devices";
    add(devices / "vd", "250:0");
    add(devices / "vd/vd1", "250:1");
    put(devices / "vd/vd1/partition", "1\n");
    add(devices / "vd/vd2", "250:2");
    put(devices / "vd/vd2/partition", "2\n");
    add(devices / "dm-0", "251:0");
    fs::create_directories(devices / "dm-0/slaves");
    fs::create_directory_symlink(devices / "vd/vd1", devices / "dm-0/slaves/vd1");
    fs::create_directories(devices / "vd/vd1/holders");
    fs::create_directory_symlink(devices / "dm-0", devices / "vd/vd1/holders/dm-0");
    add(devices / "loop7", "7:77");
    put(devices / "loop7/loop/backing_file", image_ + "\n");
    fs::create_directories(root_ / "sys/block");
    fs::create_directory_symlink(devices / "loop7", root_ / "sys/block/loop7");
    put(root_ / "proc/self/mountinfo",
        "30 1 250:2 / /mnt/with\\040space rw - ext4 /dev/vd2 rw\n"
        "31 1 7:77 / /mnt/loop rw shared:5 master:2 - xfs /dev/loop7 rw\n");
  }
  void TearDown() override { fs::remove_all(root_); }

  static void put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void add(const fs::path& directory, const std::string& number) const {
    put(directory / "dev", number + "\n");
    fs::create_directories(root_ / "sys/dev/block");
    fs::create_directory_symlink(directory, root_ / "sys/dev/block" / number);
  }

  fs::path root_;
  std::string image_;
  KernelViews views_;
};

// makedev(3) for the small numbers used here; that one is no constant expression.
constexpr dev_t small_makedev(dev_t major_number, dev_t minor_number) {
  return major_number * 256 + minor_number;
}
constexpr dev_t kDisk = small_makedev(250, 0);
constexpr dev_t kPart1 = small_makedev(250, 1);
constexpr dev_t kPart2 = small_makedev(250, 2);
constexpr dev_t kMapped = small_makedev(251, 0);
constexpr dev_t kLoop = small_makedev(7, 77);

bool has(const std::vector<Storage>& all, const Storage& one) {
  return std::ranges::find(all, one) != all.end();
}

TEST_F(UsageTest, APartitionLiesOnItsDiskAndNotOnItsNeighbour) {
  EXPECT_EQ(whole_disk_of(kPart1, views_), kDisk);
  EXPECT_EQ(whole_disk_of(kDisk, views_), kDisk);
  EXPECT_TRUE(are_on_same_disk(kPart1, kPart2, views_));
  EXPECT_TRUE(are_on_same_disk(kDisk, kPart2, views_));
  EXPECT_FALSE(are_on_same_disk(kPart1, kPart1, views_));
  EXPECT_FALSE(are_on_same_disk(kPart1, kMapped, views_));
  const auto below = beneath(Storage{kPart1}, views_);
  EXPECT_TRUE(has(below, Storage{kDisk}));
  EXPECT_FALSE(has(below, Storage{kPart2}));
}

TEST_F(UsageTest, AMappedDeviceLiesOnItsPartsAndTheirDisk) {
  const auto below = beneath(Storage{kMapped}, views_);
  EXPECT_EQ(below, (std::vector<Storage>{{kMapped}, {kPart1}, {kDisk}}));
}

TEST_F(UsageTest, ALoopDeviceLiesOnItsFileAndThatFilesFileSystem) {
  const auto image = storage_of(image_);
  ASSERT_TRUE(image);
  const auto below = beneath(Storage{kLoop}, views_);
  EXPECT_TRUE(has(below, *image));
  EXPECT_TRUE(has(below, Storage{image->device}));
}

TEST_F(UsageTest, AFileThatIsYetToBeMadeLiesWhereItsDirectoryDoes) {
  struct stat facts {};
  ASSERT_EQ(::stat(root_.c_str(), &facts), 0);
  EXPECT_TRUE(is_stored_on((root_ / "later").string(), Storage{facts.st_dev}, views_));
  EXPECT_TRUE(is_stored_on(image_, *storage_of(image_), views_));
  EXPECT_FALSE(is_stored_on((root_ / "later").string(), *storage_of(image_), views_));
  EXPECT_FALSE(is_stored_on((root_ / "later").string(), Storage{kDisk}, views_));
  EXPECT_FALSE(is_stored_on((root_ / "no/such/dir/file").string(), Storage{kDisk}, views_));
}

TEST_F(UsageTest, MountsAreFoundByDeviceWithTheirNamesUnescaped) {
  EXPECT_EQ(mounts_of(kPart2, views_), std::vector<std::string>{"/mnt/with space"});
  EXPECT_EQ(mounts_of(kLoop, views_), std::vector<std::string>{"/mnt/loop"});
  EXPECT_TRUE(mounts_of(kDisk, views_).empty());
}

TEST_F(UsageTest, AWholeDiskIsListedWithItsPartitions) {
  const auto all = with_partitions(kDisk, views_);
  EXPECT_EQ(all.size(), 3U);
  EXPECT_EQ(all.front(), kDisk);
  EXPECT_NE(std::find(all.begin(), all.end(), kPart2), all.end());
  EXPECT_EQ(with_partitions(kPart2, views_), std::vector<dev_t>{kPart2});
}

TEST_F(UsageTest, MountLinesThatMakeNoSenseAreLeftOut) {
  const auto mounts_in = [&](const std::string& text) {
    put(root_ / "mountinfo", text);
    return read_mounts(root_ / "mountinfo");
  };
  EXPECT_TRUE(read_mounts(root_ / "none").empty());
  EXPECT_TRUE(mounts_in("").empty());
  EXPECT_TRUE(mounts_in("1 2 3\nx y z:1 / / rw - ext4 /dev/x rw\n\n1 2 8:1 / /a rw\n").empty());
  const auto mounts = mounts_in("1 2 3\n36 35 98:0 /m /mnt rw - ext3 /dev/vd2 rw");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].fs_type, "ext3");
  EXPECT_EQ(mounts[0].source, "/dev/vd2");
  EXPECT_EQ(mounts[0].device, makedev(98, 0));
}

TEST_F(UsageTest, ADiskIsHeldByWhatHoldsItsPartitions) {
  EXPECT_EQ(holders_of(kDisk, views_), std::vector<std::string>{"dm-0"});
  EXPECT_EQ(holders_of(kPart1, views_), std::vector<std::string>{"dm-0"});
  EXPECT_TRUE(holders_of(kPart2, views_).empty());
}

TEST_F(UsageTest, AnImageIsUsedByItsLoopDevice) {
  EXPECT_EQ(loop_devices_on(image_, views_), std::vector<std::string>{"/dev/loop7"});
  const auto uses = uses_of(image_, views_);
  EXPECT_EQ(uses, std::vector<std::string>{"attached to /dev/loop7"});
}

TEST_F(UsageTest, ASwapFileIsSwapSpace) {
  put(root_ / "proc/swaps", "Filename Type Size Used Priority\n" + image_ + "  file 1 0 -2\n");
  EXPECT_TRUE(is_swap(*storage_of(image_), views_));
  EXPECT_FALSE(is_swap(Storage{kDisk}, views_));
}

TEST_F(UsageTest, AnotherProcessThatHasItOpenIsNamed) {
  EXPECT_TRUE(openers_of(image_).empty());
  const pid_t child = ::fork();
  if (child == 0) {
    if (::open(image_.c_str(), O_RDONLY) >= 0) ::pause();
    ::_exit(1);
  }
  ASSERT_GT(child, 0);
  std::vector<std::string> openers;
  for (int tries = 0; tries < 500 && openers.empty(); ++tries) {
    ::usleep(10'000);
    openers = openers_of(image_);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(openers.size(), 1U);
  EXPECT_TRUE(openers[0].starts_with(std::to_string(child) + " "));
}

TEST(Storage, OnlyDevicesAndFilesAreStorage) {
  EXPECT_FALSE(storage_of("/dev/null"));
  EXPECT_FALSE(storage_of("/"));
  EXPECT_FALSE(storage_of("/no/such/file"));
}

constexpr std::chrono::milliseconds kStep{50};

// How long `who`, asked for who has it open after some time, is waited for.
std::chrono::milliseconds waited_for(
    const std::function<std::vector<std::string>(std::chrono::milliseconds)>& who,
    Patience::Limits limits = {}) {
  Patience patience(limits);
  auto waited = kStep * 0;
  while (patience.lasts(who(waited), waited)) waited += kStep;
  return waited;
}

TEST(Patience, AnotherDmremapMayLookForLonger) {
  const auto who = [](std::vector<std::string> openers) {
    return waited_for([=](auto) { return openers; });
  };
  const auto moment = who({});
  EXPECT_EQ(who({"12 udevd"}), moment);
  EXPECT_GE(who({"12 dmremap", "13 dmremap"}), 10 * moment);
  EXPECT_EQ(who({"12 dmremap", "13 fio"}), moment);
}

TEST(Patience, AMomentIsCountedFromTheEndOfALook) {
  const auto moment = waited_for([](auto) { return std::vector<std::string>{}; });
  const auto look = 3 * moment;
  // One dmremap after the other, and nobody is seen between them.
  const auto in_turns = waited_for([&](std::chrono::milliseconds waited) {
    const bool between = waited / kStep % 4 == 3;
    return waited > look || between ? std::vector<std::string>{}
                                    : std::vector<std::string>{"12 dmremap"};
  });
  EXPECT_GE(in_turns, look);
  EXPECT_LE(in_turns, look + moment);
}

TEST(Patience, WhatCannotBeTakenBackIsWaitedForLonger) {
  const Patience::Limits limits{std::chrono::seconds(10), std::chrono::seconds(60)};
  const auto nobody = [](auto) { return std::vector<std::string>{}; };
  const auto look = [](std::chrono::milliseconds waited) {
    return waited < std::chrono::seconds(50) ? std::vector<std::string>{"12 dmremap"}
                                             : std::vector<std::string>{};
  };
  EXPECT_EQ(waited_for(nobody, limits), limits.moment);
  EXPECT_GE(waited_for(look, limits), std::chrono::seconds(50));
}

TEST(Patience, LooksWithoutEndAreNotWaitedFor) {
  const auto ends = waited_for([](std::chrono::milliseconds waited) {
    return waited / kStep % 2 == 0 ? std::vector<std::string>{"12 dmremap"}
                                   : std::vector<std::string>{"13 fio"};
  });
  EXPECT_LE(ends, std::chrono::seconds(20));
}

}  // namespace
}  // namespace dmremap::os
