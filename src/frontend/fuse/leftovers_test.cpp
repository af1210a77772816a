// SPDX-License-Identifier: GPL-2.0-or-later
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "frontend/fuse/fuse_frontend.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "frontend/fuse/mount_file.hpp"
#include "os/mount_point.hpp"
#include "rig/temporary_directory.hpp"
#include "tests/fuse/ram_disk.hpp"

namespace dmremap::fuse {
namespace {

namespace fs = std::filesystem;

class PlaceTest : public testing::Test {
 protected:
  PlaceTest() { fs::create_directories(directory / "real"); }

  const TemporaryDirectory temporary;
  const fs::path directory = temporary.path();
};

TEST_F(PlaceTest, APlainFileIsNoMountAndLeavesNothingToClear) {
  const std::string file = directory / "disk";
  std::ofstream(file) << "mine";
  EXPECT_EQ(os::mount_state(file, os::kSetFileSystemType), os::MountState::none);
  EXPECT_TRUE(clear_leftovers(file, {}));
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(PlaceTest, AMountThatAnswersIsNoLeftover) {
  const auto cleared = clear_leftovers("/proc", {});
  ASSERT_FALSE(cleared);
  EXPECT_EQ(cleared.error().code, ErrorCode::device_in_use);
}

TEST_F(PlaceTest, ALinkThatPointsToAnotherFilesLoopDeviceIsALeftover) {
  const std::string link = directory / "disk-link";
  fs::create_symlink("/dev/loop99999", link);
  EXPECT_TRUE(clear_leftovers(directory / "disk", link));
  EXPECT_FALSE(fs::is_symlink(link));
}

TEST_F(PlaceTest, ADirectoryCannotBecomeTheDisk) {
  RamDisk engine({.size = {2048}, .logical_block_bytes = 512, .physical_block_bytes = 512});
  const auto front = FuseFrontend::start(engine, {.mount_path = directory / "real"});
  ASSERT_FALSE(front);
  // Where there is no FUSE, that is what is said first.
  if (front.error().code != ErrorCode::not_supported) {
    EXPECT_EQ(front.error().code, ErrorCode::usage);
    EXPECT_EQ(front.error().where, directory / "real");
  }
}

}  // namespace
}  // namespace dmremap::fuse
