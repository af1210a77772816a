// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/disk_parameters.hpp"

#include <gtest/gtest.h>

namespace dmremap::ublk {
namespace {

DiskParameters plain() {
  DiskParameters disk;
  disk.size = {2048};
  return disk;
}

TEST(UblkDiskParameters, GivesSizesAsShifts) {
  DiskParameters disk = plain();
  disk.logical_block_bytes = 512;
  disk.physical_block_bytes = 4096;
  disk.io_min_bytes = 65536;
  disk.io_opt_bytes = 1048576;
  const auto kernel = to_kernel(disk);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->types, abi::kTypeBasic);
  EXPECT_EQ(kernel->basic.logical_block_shift, 9);
  EXPECT_EQ(kernel->basic.physical_block_shift, 12);
  EXPECT_EQ(kernel->basic.io_min_shift, 16);
  EXPECT_EQ(kernel->basic.io_opt_shift, 20);
  EXPECT_EQ(kernel->basic.device_sectors, 2048U);
  EXPECT_EQ(kernel->basic.request_sectors_max, 1024U);
  EXPECT_EQ(kernel->basic.chunk_sectors, 0U);
}

TEST(UblkDiskParameters, AnIoSizeIsThePhysicalBlockUnlessNamed) {
  DiskParameters disk = plain();
  disk.physical_block_bytes = 4096;
  const auto kernel = to_kernel(disk);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->basic.io_min_shift, 12);
  EXPECT_EQ(kernel->basic.io_opt_shift, 12);
}

TEST(UblkDiskParameters, AnIoSizeThatIsNoPowerOfTwoBecomesItsLargestDivisorThatIs) {
  DiskParameters disk = plain();
  disk.io_opt_bytes = 3 * 131072;  // three disks of a stripe
  const auto kernel = to_kernel(disk);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->basic.io_opt_shift, 17);
}

TEST(UblkDiskParameters, ADiskWithoutCacheHasNoFua) {
  DiskParameters disk = plain();
  disk.fua = true;
  EXPECT_EQ(to_kernel(disk)->basic.attributes, 0U);
  disk.volatile_cache = true;
  disk.rotational = true;
  disk.read_only = true;
  EXPECT_EQ(to_kernel(disk)->basic.attributes, abi::kAttributeFua | abi::kAttributeVolatileCache |
                                                   abi::kAttributeRotational |
                                                   abi::kAttributeReadOnly);
}

TEST(UblkDiskParameters, DiscardsHaveOneSegmentAndLimitsThatFit) {
  DiskParameters disk = plain();
  disk.logical_block_bytes = 4096;
  disk.physical_block_bytes = 4096;
  disk.discard_granularity_bytes = 4096;
  disk.discard_max = {std::uint64_t{1} << 40};
  disk.write_zeroes_max = {8};
  const auto kernel = to_kernel(disk);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->types, abi::kTypeBasic | abi::kTypeDiscard);
  EXPECT_EQ(kernel->discard.segments_max, 1);
  EXPECT_EQ(kernel->discard.granularity, 4096U);
  EXPECT_EQ(kernel->discard.discard_sectors_max, 0xffff'fff8U);  // whole blocks
  EXPECT_EQ(kernel->discard.write_zeroes_sectors_max, 8U);
}

TEST(UblkDiskParameters, WriteZeroesWithoutDiscardsStillHasAGranularity) {
  DiskParameters disk = plain();
  disk.write_zeroes_max = {1024};
  const auto kernel = to_kernel(disk);
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->discard.granularity, 512U);
  EXPECT_EQ(kernel->discard.discard_sectors_max, 0U);
}

TEST(UblkDiskParameters, ComeBackAsTheyWere) {
  DiskParameters disk = plain();
  disk.logical_block_bytes = 4096;
  disk.physical_block_bytes = 8192;
  disk.rotational = true;
  disk.volatile_cache = true;
  disk.fua = true;
  disk.discard_granularity_bytes = 8192;
  disk.discard_max = {4096};
  disk.write_zeroes_max = {2048};
  disk.request_bytes_max = 1U << 20;
  const DiskParameters back = from_kernel(*to_kernel(disk));
  EXPECT_EQ(back.size, disk.size);
  EXPECT_EQ(back.logical_block_bytes, 4096U);
  EXPECT_EQ(back.physical_block_bytes, 8192U);
  EXPECT_EQ(back.io_opt_bytes, 8192U);
  EXPECT_TRUE(back.rotational && back.volatile_cache && back.fua && !back.read_only);
  EXPECT_EQ(back.discard_granularity_bytes, 8192U);
  EXPECT_EQ(back.discard_max, disk.discard_max);
  EXPECT_EQ(back.write_zeroes_max, disk.write_zeroes_max);
  EXPECT_EQ(back.request_bytes_max, disk.request_bytes_max);
}

TEST(UblkDiskParameters, RefuseWhatTheDriverWould) {
  const auto refused = [](auto change) {
    DiskParameters disk = plain();
    change(disk);
    const auto kernel = to_kernel(disk);
    return !kernel && kernel.error().code == ErrorCode::usage;
  };
  EXPECT_TRUE(refused([](DiskParameters& d) { d.logical_block_bytes = 520; }));
  EXPECT_TRUE(refused([](DiskParameters& d) { d.logical_block_bytes = 8192; }));
  EXPECT_TRUE(refused([](DiskParameters& d) { d.logical_block_bytes = 4096; }));  // > physical
  EXPECT_TRUE(refused([](DiskParameters& d) { d.size = {0}; }));
  EXPECT_TRUE(refused([](DiskParameters& d) {
    d.logical_block_bytes = d.physical_block_bytes = 4096;
    d.size = {9};
  }));
  EXPECT_TRUE(refused([](DiskParameters& d) { d.request_bytes_max = 1000; }));
  EXPECT_TRUE(refused([](DiskParameters& d) { d.request_bytes_max = 1U << 26; }));
}

// The numbers as `linux/ublk_cmd.h` of Linux 6.12 expands them.
TEST(UblkAbi, CommandsHaveTheKernelsNumbers) {
  EXPECT_EQ(abi::kGetDeviceInfo, 0x80207502U);
  EXPECT_EQ(abi::kAddDevice, 0xc0207504U);
  EXPECT_EQ(abi::kDeleteDevice, 0xc0207505U);
  EXPECT_EQ(abi::kStartDevice, 0xc0207506U);
  EXPECT_EQ(abi::kStopDevice, 0xc0207507U);
  EXPECT_EQ(abi::kSetParameters, 0xc0207508U);
  EXPECT_EQ(abi::kGetParameters, 0x80207509U);
  EXPECT_EQ(abi::kStartUserRecovery, 0xc0207510U);
  EXPECT_EQ(abi::kEndUserRecovery, 0xc0207511U);
  EXPECT_EQ(abi::kGetFeatures, 0x80207513U);
  EXPECT_EQ(abi::kDeleteDeviceAsync, 0x80207514U);
  EXPECT_EQ(abi::kFetch, 0xc0107520U);
  EXPECT_EQ(abi::kCommitAndFetch, 0xc0107521U);
}

TEST(UblkAbi, DataOfEachTagHasAPlaceOfItsOwn) {
  EXPECT_EQ(abi::data_offset(0, 0), 0x80000000U);
  EXPECT_EQ(abi::data_offset(0, 1) - abi::data_offset(0, 0), abi::kRequestBytesMax);
  EXPECT_EQ(abi::data_offset(1, 0) - abi::data_offset(0, 0), std::uint64_t{1} << (25 + 16));
  EXPECT_GT(abi::data_offset(1, 0), abi::data_offset(0, abi::kDepthMax - 1));
}

TEST(UblkAbi, DescriptorsAreMappedInWholePages) {
  EXPECT_EQ(abi::descriptors_bytes(1), 4096U);
  EXPECT_EQ(abi::descriptors_bytes(128), 4096U);
  EXPECT_EQ(abi::descriptors_bytes(256), 8192U);
  EXPECT_EQ(abi::descriptors_offset(2), 2U * 98304U);
}

}  // namespace
}  // namespace dmremap::ublk
