// SPDX-License-Identifier: GPL-2.0-or-later
#include "disk.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace dmremap::lab {
namespace {

constexpr std::uint64_t kSectors = 64;
using Sectors = std::vector<std::byte>;

SectorRange range(std::uint64_t first, std::uint64_t count) {
  return {{first}, {count}};
}

Sectors filled(std::uint64_t count, unsigned char with) {
  return Sectors(count * kSectorBytes, std::byte{with});
}

class DiskTest : public ::testing::Test {
 protected:
  DiskTest() {
    std::string name = ::testing::TempDir() + "dmremap-lab-XXXXXX";
    const FileDescriptor made(::mkstemp(name.data()));
    image_ = name;
    std::filesystem::resize_file(image_, kSectors * kSectorBytes);
    disk_ = Disk::open(image_).value();
    EXPECT_EQ(disk_->write(0, filled(kSectors, 0xaa)), 0);
  }
  ~DiskTest() override { std::filesystem::remove(image_); }

  void fault(SectorRange where, const Fault& what) {
    EXPECT_TRUE(disk_->add_faults({{where, what}}));
  }
  int read(std::uint64_t sector, std::uint64_t count = 1) {
    Sectors into(count * kSectorBytes);
    return disk_->read(sector * kSectorBytes, into);
  }
  int write(std::uint64_t sector, const Sectors& from) {
    return disk_->write(sector * kSectorBytes, from);
  }
  // The first byte of a sector, as the image holds it.
  int image_byte(std::uint64_t sector) {
    std::ifstream file(image_, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(sector * kSectorBytes));
    return file.get();
  }

  std::string image_;
  std::unique_ptr<Disk> disk_;
};

TEST_F(DiskTest, HealthyDiskKeepsWhatIsWritten) {
  EXPECT_EQ(write(3, filled(2, 0x11)), 0);
  Sectors back(2 * kSectorBytes);
  EXPECT_EQ(disk_->read(3 * kSectorBytes, back), 0);
  EXPECT_EQ(back, filled(2, 0x11));
  EXPECT_EQ(disk_->flush(), 0);
}

TEST_F(DiskTest, UnalignedRequestTouchesTheSectorsItOverlaps) {
  fault(range(4, 1), {.read_errno = EIO});
  std::array<std::byte, 2> two{};
  EXPECT_EQ(disk_->read(4 * kSectorBytes - 2, two), 0);
  EXPECT_EQ(disk_->read(4 * kSectorBytes - 1, two), EIO);
  EXPECT_EQ(disk_->read(5 * kSectorBytes - 1, two), EIO);
  EXPECT_EQ(disk_->read(5 * kSectorBytes, two), 0);
}

TEST_F(DiskTest, FailedWriteReachesNeitherTheBadSectorNorWhatLiesBehind) {
  fault(range(10, 1), {.write_errno = ENODATA});
  EXPECT_EQ(write(8, filled(6, 0x22)), ENODATA);
  EXPECT_EQ(image_byte(8), 0x22);
  EXPECT_EQ(image_byte(9), 0x22);
  EXPECT_EQ(image_byte(10), 0xaa);
  EXPECT_EQ(image_byte(11), 0xaa);
}

TEST_F(DiskTest, FailedZeroReachesNeitherTheBadSectorNorWhatLiesBehind) {
  for (const bool unmap : {false, true}) {
    EXPECT_EQ(write(0, filled(kSectors, 0xaa)), 0);
    fault(range(10, 1), {.write_errno = EIO});
    EXPECT_EQ(disk_->zero(8 * kSectorBytes, 6 * kSectorBytes, unmap), EIO);
    EXPECT_EQ(image_byte(9), 0);
    EXPECT_EQ(image_byte(10), 0xaa);
    EXPECT_EQ(image_byte(11), 0xaa);
    disk_->clear();
    EXPECT_EQ(disk_->zero(8 * kSectorBytes, 6 * kSectorBytes, unmap), 0);
    EXPECT_EQ(image_byte(13), 0);
    EXPECT_EQ(image_byte(14), 0xaa);
  }
}

TEST_F(DiskTest, WriteEndsAReadFaultThatLastsUntilWritten) {
  fault(range(10, 4), {.until_written = true});
  EXPECT_EQ(read(8, 8), EIO);
  EXPECT_EQ(write(11, filled(1, 0x33)), 0);
  EXPECT_EQ(read(11), 0);
  EXPECT_EQ(read(10), EIO);
  EXPECT_EQ(disk_->zero(12 * kSectorBytes, kSectorBytes, true), 0);
  EXPECT_EQ(read(11, 2), 0);
  EXPECT_EQ(read(13), EIO);
}

TEST_F(DiskTest, HealthyPartOfAFailedWriteHealsToo) {
  fault(range(10, 1), {.until_written = true});
  fault(range(11, 1), {.write_errno = EIO, .until_written = true});
  EXPECT_EQ(write(10, filled(2, 0x44)), EIO);
  EXPECT_EQ(read(10), 0);
  EXPECT_EQ(read(11), EIO);
}

TEST_F(DiskTest, SectorWrittenInPartIsNotHealed) {
  fault(range(10, 1), {.until_written = true});
  const Sectors sector = filled(1, 0x66);
  EXPECT_EQ(disk_->write(10 * kSectorBytes, std::span(sector).first(511)), 0);
  EXPECT_EQ(read(10), EIO);
}

TEST_F(DiskTest, UnpluggedDiskAnswersEnodevToEverything) {
  disk_->set_unplugged(true);
  EXPECT_EQ(read(0), ENODEV);
  EXPECT_EQ(write(0, filled(1, 0x55)), ENODEV);
  EXPECT_EQ(disk_->zero(0, kSectorBytes, true), ENODEV);
  EXPECT_EQ(disk_->flush(), ENODEV);
  EXPECT_EQ(image_byte(0), 0xaa);
  disk_->set_unplugged(false);
  EXPECT_EQ(read(0), 0);
}

TEST_F(DiskTest, SlowSectorDelaysThenFails) {
  fault(range(5, 1), {.read_errno = EIO, .slow_ms = 60});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(read(0, 10), EIO);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(60));
  EXPECT_EQ(disk_->counts().delayed, 1U);
}

TEST_F(DiskTest, UnplugAnswersWhatWaitsOnASlowSector) {
  fault(range(5, 1), {.slow_ms = 600'000});
  int answer = -1;
  std::thread waiting([&] { answer = read(5); });
  while (disk_->counts().delayed == 0) std::this_thread::yield();
  disk_->set_unplugged(true);
  waiting.join();
  EXPECT_EQ(answer, ENODEV);
}

TEST_F(DiskTest, UnplugAnswersWhatWaitsForTheArm) {
  disk_->set_mode(ArmModel{.seek_ms = 0, .mb_per_s = 0.001});
  static std::atomic<bool> queued = false;
  int answer = -1;
  Sectors into(8 * kSectorBytes);
  std::thread waiting([&] { answer = disk_->read(0, into, [] { queued = true; }); });
  while (!queued) std::this_thread::yield();
  disk_->set_unplugged(true);
  waiting.join();
  EXPECT_EQ(answer, ENODEV);
}

TEST_F(DiskTest, ArmTakesItsTimeForReadsAndWrites) {
  disk_->set_mode(ArmModel{.seek_ms = 20, .mb_per_s = 1000});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(read(32), 0);  // half of the disk away: 25 ms
  EXPECT_EQ(write(0, filled(1, 0x11)), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  EXPECT_EQ(disk_->counts().delayed, 0U);
}

TEST_F(DiskTest, ClearReleasesWhatWaitsOnASlowSector) {
  fault(range(5, 1), {.read_errno = EIO, .slow_ms = 600'000});
  int answer = -1;
  std::thread waiting([&] { answer = read(5); });
  while (disk_->counts().delayed == 0) std::this_thread::yield();
  EXPECT_TRUE(disk_->clear(range(5, 1)));
  waiting.join();
  EXPECT_EQ(answer, 0);
}

TEST_F(DiskTest, FlakyReadFailsSometimes) {
  fault(range(5, 1), {.flaky = 0.5});
  int failed = 0;
  for (int i = 0; i < 400; ++i) failed += read(5) == EIO ? 1 : 0;
  // 400 fair draws leave [120, 280] once in 10^15 runs.
  EXPECT_GT(failed, 120);
  EXPECT_LT(failed, 280);
}

TEST_F(DiskTest, FaultBeyondTheEndIsRefusedWithAllThatCameWithIt) {
  const auto refused =
      disk_->add_faults({{range(0, 1), {.read_errno = EIO}}, {range(63, 2), {.read_errno = EIO}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
  EXPECT_TRUE(disk_->faults().empty());
}

TEST_F(DiskTest, CountsWhatWasAskedAndWhatFailed) {
  const Counts before = disk_->counts();
  fault(range(5, 1), {.read_errno = EIO, .write_errno = EIO});
  EXPECT_EQ(read(5), EIO);
  EXPECT_EQ(read(6), 0);
  EXPECT_EQ(write(5, filled(1, 0)), EIO);
  EXPECT_EQ(disk_->flush(), 0);
  const Counts after = disk_->counts();
  EXPECT_EQ(after.reads - before.reads, 2U);
  EXPECT_EQ(after.failed_reads - before.failed_reads, 1U);
  EXPECT_EQ(after.writes - before.writes, 1U);
  EXPECT_EQ(after.failed_writes - before.failed_writes, 1U);
  EXPECT_EQ(after.flushes - before.flushes, 1U);
  EXPECT_EQ(after.failed_flushes, 0U);
}

TEST_F(DiskTest, ImageIsServedOnce) {
  const auto second = Disk::open(image_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::device_in_use);
}

TEST_F(DiskTest, ImageThatShrankFailsInsteadOfReadingZeros) {
  std::filesystem::resize_file(image_, 8 * kSectorBytes);
  EXPECT_EQ(read(7), 0);
  EXPECT_EQ(read(8), EIO);
}

TEST(DiskOpen, RefusesWhatIsNoDisk) {
  EXPECT_EQ(Disk::open("/nonexistent/image").error().code, ErrorCode::no_such_device);
  EXPECT_EQ(Disk::open("/tmp").error().code, ErrorCode::not_a_device);
  EXPECT_EQ(Disk::open("/dev/null").error().code, ErrorCode::not_a_device);
  const std::string odd = ::testing::TempDir() + "dmremap-lab-odd-" + std::to_string(::getpid());
  for (const char* content : {"", "not 512 bytes"}) {
    std::ofstream(odd, std::ios::trunc) << content;
    EXPECT_EQ(Disk::open(odd).error().code, ErrorCode::device_too_small) << content;
  }
  std::filesystem::remove(odd);
}

TEST_F(DiskTest, AVolatileCacheIsReadButNotInTheImageUntilAFlush) {
  ASSERT_TRUE(disk_->set_volatile_cache(true));
  EXPECT_EQ(write(3, filled(2, 0x11)), 0);
  Sectors back(2 * kSectorBytes);
  EXPECT_EQ(disk_->read(3 * kSectorBytes, back), 0);
  EXPECT_EQ(back, filled(2, 0x11));
  EXPECT_EQ(image_byte(3), 0xaa);
  EXPECT_EQ(disk_->flush(), 0);
  EXPECT_EQ(image_byte(3), 0x11);
}

TEST_F(DiskTest, ADurableWriteGoesPastTheCacheAndIsNotUndoneByIt) {
  ASSERT_TRUE(disk_->set_volatile_cache(true));
  EXPECT_EQ(write(3, filled(2, 0x11)), 0);
  EXPECT_EQ(disk_->write(3 * kSectorBytes, filled(1, 0x22), Disk::not_told, true), 0);
  EXPECT_EQ(image_byte(3), 0x22);
  EXPECT_EQ(image_byte(4), 0xaa);
  EXPECT_EQ(disk_->flush(), 0);
  EXPECT_EQ(image_byte(3), 0x22);
  EXPECT_EQ(image_byte(4), 0x11);
}

TEST_F(DiskTest, ZeroesGoPastTheCacheAndAreNotUndoneByIt) {
  ASSERT_TRUE(disk_->set_volatile_cache(true));
  EXPECT_EQ(write(3, filled(1, 0x11)), 0);
  EXPECT_EQ(disk_->zero(3 * kSectorBytes, kSectorBytes, false), 0);
  EXPECT_EQ(disk_->flush(), 0);
  EXPECT_EQ(image_byte(3), 0);
}

TEST_F(DiskTest, AFlushFailsAsOftenAsItIsToldAndLosesTheCache) {
  ASSERT_TRUE(disk_->set_volatile_cache(true));
  EXPECT_EQ(write(3, filled(1, 0x11)), 0);
  disk_->set_flush_fault({.error = ENODATA, .times = 2});
  EXPECT_EQ(disk_->flush(), ENODATA);
  EXPECT_EQ(image_byte(3), 0xaa);
  EXPECT_EQ(disk_->flush(), ENODATA);
  EXPECT_EQ(disk_->flush(), 0);
  Sectors back(kSectorBytes);
  EXPECT_EQ(disk_->read(3 * kSectorBytes, back), 0);
  EXPECT_EQ(back, filled(1, 0xaa)) << "the flush that succeeds does not bring it back";
  EXPECT_EQ(disk_->counts().failed_flushes, 2U);
}

TEST_F(DiskTest, UnpluggingLosesTheCacheAndGivingItUpWritesItDown) {
  ASSERT_TRUE(disk_->set_volatile_cache(true));
  EXPECT_EQ(write(3, filled(1, 0x11)), 0);
  disk_->set_unplugged(true);
  disk_->set_unplugged(false);
  EXPECT_EQ(write(4, filled(1, 0x22)), 0);
  ASSERT_TRUE(disk_->set_volatile_cache(false));
  EXPECT_EQ(image_byte(3), 0xaa);
  EXPECT_EQ(image_byte(4), 0x22);
  EXPECT_EQ(write(5, filled(1, 0x33)), 0);
  EXPECT_EQ(image_byte(5), 0x33);
}

}  // namespace
}  // namespace dmremap::lab
