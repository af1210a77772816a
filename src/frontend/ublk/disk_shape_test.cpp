// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/ublk/disk_shape.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "rig/temporary_directory.hpp"
#include "ublk/abi.hpp"

namespace dmremap::frontend {
namespace {

namespace fs = std::filesystem;

constexpr io::Geometry kGeometry{{1'000'000}, 512, 4096};

class DiskShapeTest : public testing::Test {
 protected:
  void limit(const std::string& name, const std::string& value) const {
    fs::create_directories(queue);
    std::ofstream(queue / name) << value << '\n';
  }

  const TemporaryDirectory temporary;
  const fs::path sys = fs::path(temporary.path()) / "sys";
  // Any block device will do: its numbers are looked up in a tree that is made up.
  const std::string device = "/dev/loop0";
  const fs::path queue = sys / "dev" / "block" / "7:0" / "queue";
  const os::KernelViews views{sys, "/proc"};
};

TEST_F(DiskShapeTest, AnImageHasTheBlocksOfItsFileSystemAndHoles) {
  const std::string image = fs::path(temporary.path()) / "main.img";
  std::ofstream(image) << "";
  const auto shape = disk_shape(image, kGeometry, false);
  EXPECT_EQ(shape.size, kGeometry.size);
  EXPECT_EQ(shape.logical_block_bytes, 512U);
  EXPECT_EQ(shape.physical_block_bytes, 4096U);
  EXPECT_FALSE(shape.rotational);
  EXPECT_TRUE(shape.volatile_cache);
  EXPECT_TRUE(shape.fua);
  EXPECT_EQ(shape.discard_granularity_bytes, 4096U);
  EXPECT_GT(shape.discard_max.value, 0U);
  EXPECT_GT(shape.write_zeroes_max.value, 0U);
  EXPECT_TRUE(ublk::to_kernel(shape)) << "the kernel takes it";
}

TEST_F(DiskShapeTest, NothingIsWrittenToAReadOnlyDisk) {
  const auto shape = disk_shape("/nowhere", kGeometry, true);
  EXPECT_TRUE(shape.read_only);
  EXPECT_FALSE(shape.volatile_cache);
  EXPECT_FALSE(shape.fua);
  EXPECT_EQ(shape.discard_granularity_bytes, 0U);
  EXPECT_EQ(shape.write_zeroes_max.value, 0U);
  EXPECT_TRUE(ublk::to_kernel(shape));
}

TEST_F(DiskShapeTest, ABlockDevicesLimitsAreTaken) {
  struct stat status {};
  if (::stat(device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) {
    GTEST_SKIP() << "no " << device << " here";
  }
  limit("rotational", "1");
  limit("minimum_io_size", "4096");
  limit("optimal_io_size", "65536");
  limit("discard_granularity", "4096");
  limit("discard_max_bytes", "9223372036854775296");
  limit("write_zeroes_max_bytes", "1049088");
  const auto shape = disk_shape(device, kGeometry, false, views);
  EXPECT_TRUE(shape.rotational);
  EXPECT_EQ(shape.io_min_bytes, 4096U);
  EXPECT_EQ(shape.io_opt_bytes, 65536U);
  EXPECT_EQ(shape.discard_granularity_bytes, 4096U);
  EXPECT_EQ(shape.discard_max.bytes(), std::uint64_t{1} << 30)
      << "as much as a request has time for";
  EXPECT_EQ(shape.write_zeroes_max.bytes(), 1'049'088U);
  EXPECT_TRUE(ublk::to_kernel(shape));
}

TEST_F(DiskShapeTest, WhatADiskCannotDoIsNotOffered) {
  struct stat status {};
  if (::stat(device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) {
    GTEST_SKIP() << "no " << device << " here";
  }
  limit("discard_granularity", "4096");
  limit("discard_max_bytes", "0");
  limit("write_zeroes_max_bytes", "0");
  const auto shape = disk_shape(device, kGeometry, false, views);
  EXPECT_EQ(shape.discard_granularity_bytes, 0U);
  EXPECT_EQ(shape.write_zeroes_max.value, 0U);
}

}  // namespace
}  // namespace dmremap::frontend
