// SPDX-License-Identifier: GPL-2.0-or-later
// What lies on images: fingerprints, signatures, prints.
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "discovery/device_facts.hpp"
#include "discovery/fingerprint.hpp"
#include "discovery/signatures.hpp"
#include "discovery/superblock_print.hpp"
#include "io/file_device.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::discovery {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class ImageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dmremap-contents-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    image_ = (root_ / "image").string();
    std::ofstream(image_).close();
    fs::resize_file(image_, 16 * kMiB);
  }
  void TearDown() override { fs::remove_all(root_); }

  void run(const std::string& command) const {
    const std::string line =
        "PATH=$PATH:/usr/sbin:/sbin; " + command + " " + image_ + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(line.c_str()), 0) << command;  // NOLINT(cert-env33-c)
  }
  void make_ext4(const std::string& uuid) const {
    run("mkfs.ext4 -q -F -E lazy_itable_init=1 -U " + uuid);
  }
  void put(std::uint64_t offset, const std::string& bytes) const {
    std::fstream file(image_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }
  [[nodiscard]] std::unique_ptr<io::FileDevice> open() const {
    auto device = io::FileDevice::open(image_, {});
    EXPECT_TRUE(device);
    return std::move(*device);
  }

  fs::path root_;
  std::string image_;
};

constexpr const char* kUuidA = "11111111-2222-4333-8444-555555555555";
constexpr const char* kUuidB = "99999999-2222-4333-8444-555555555555";

TEST_F(ImageTest, AnEmptyImageIsKnownByItsSizeOnly) {
  const auto fingerprint = take_fingerprint(*open());
  ASSERT_TRUE(fingerprint);
  EXPECT_EQ(fingerprint->kind, format::DeviceKind::image);
  EXPECT_EQ(fingerprint->size.bytes(), 16 * kMiB);
  EXPECT_EQ(fingerprint->fs_uuid, "");
  EXPECT_EQ(fingerprint->fs_type, "");
  EXPECT_EQ(fingerprint->path_hint, image_);
}

TEST_F(ImageTest, AFileSystemIsFingerprintedByItsUuid) {
  make_ext4(kUuidA);
  const auto first = take_fingerprint(*open());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->fs_type, "ext4");
  EXPECT_EQ(first->fs_uuid, kUuidA);
  make_ext4(kUuidB);
  EXPECT_EQ(take_fingerprint(*open())->fs_uuid, kUuidB);
}

TEST_F(ImageTest, WhereTheContentsAreKnownTheDeviceIsNotProbed) {
  make_ext4(kUuidA);
  const auto probed = gather_facts(*open(), DeviceUse::alone);
  ASSERT_TRUE(probed);
  EXPECT_EQ(probed->fingerprint.fs_uuid, kUuidA);
  const auto known = gather_facts(*open(), Contents{}, DeviceUse::alone);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->fingerprint.fs_uuid, "");
  EXPECT_EQ(known->fingerprint.size, probed->fingerprint.size);
  for (const format::Fact& fact : known->facts) EXPECT_NE(fact.value, kUuidA);
}

TEST_F(ImageTest, AFingerprintLooksPastTheHolder) {
  make_ext4(kUuidA);
  const auto held = io::FileDevice::open(image_, {io::Access::read_write, io::Holding::exclusive});
  ASSERT_TRUE(held);
  EXPECT_EQ(take_fingerprint(**held)->fs_uuid, kUuidA);
}

TEST_F(ImageTest, APartitionTableStandsInForAFileSystem) {
  // A DOS partition table: disk id, one partition of type 83, the mark at the end of the sector.
  put(440, std::string("\x78\x56\x34\x12", 4));
  put(446, std::string("\x00\x00\x00\x00\x83\x00\x00\x00\x00\x08\x00\x00\x00\x40\x00\x00", 16));
  put(510, "\x55\xaa");
  const auto fingerprint = take_fingerprint(*open());
  ASSERT_TRUE(fingerprint);
  EXPECT_EQ(fingerprint->fs_type, "dos");
  EXPECT_EQ(fingerprint->fs_uuid, "12345678");
  EXPECT_EQ(*signatures_on(*open()), Names{"DOS partition table"});
}

TEST_F(ImageTest, AnEmptyImageHasNoSignatures) {
  EXPECT_EQ(*signatures_on(*open()), Names{});
}

TEST_F(ImageTest, SignaturesAreNamedInWords) {
  make_ext4(kUuidA);
  EXPECT_EQ(*signatures_on(*open()), Names{"ext4 file system"});
}

TEST_F(ImageTest, SwapSpaceIsASignature) {
  run("mkswap");
  EXPECT_EQ(*signatures_on(*open()), Names{"swap"});
}

TEST_F(ImageTest, AnLvmLabelIsASignature) {
  // Label sector: LABELONE, sector 1, no checksum worth the name, offset 32, "LVM2 001".
  put(512, std::string("LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001", 32));
  EXPECT_EQ(*signatures_on(*open()), Names{"LVM2_member"});
}

TEST_F(ImageTest, ATinyImageIsNoError) {
  fs::resize_file(image_, 1024);
  EXPECT_TRUE(take_fingerprint(*open()));
  EXPECT_EQ(*signatures_on(*open()), Names{});
  fs::resize_file(image_, 0);
  EXPECT_TRUE(take_fingerprint(*open()));
  (void)superblock_print(*open());
}

constexpr io::Geometry kDisk{{1024}, 512, 512};

std::vector<std::byte> sector_of(int fill) {
  return std::vector<std::byte>(kSectorBytes, static_cast<std::byte>(fill));
}

TEST(SuperblockPrint, EqualContentsGiveEqualPrints) {
  sim::SimDevice a(kDisk);
  sim::SimDevice b(kDisk);
  a.poke({2}, sector_of(5));
  b.poke({2}, sector_of(5));
  EXPECT_EQ(superblock_print(a), superblock_print(b));
}

TEST(SuperblockPrint, SeesWhereFileSystemsKeepTheirSuperblocks) {
  sim::SimDevice disk(kDisk);
  const Sha256 before = superblock_print(disk);
  for (const std::uint64_t sector : {0U, 2U, 128U, 255U}) {
    disk.poke({sector}, sector_of(1));
    EXPECT_NE(superblock_print(disk), before) << sector;
    disk.poke({sector}, sector_of(0));
  }
  EXPECT_EQ(superblock_print(disk), before);
  disk.poke({256}, sector_of(1));
  EXPECT_EQ(superblock_print(disk), before) << "what lies behind is not looked at";
}

TEST(SuperblockPrint, AnUnreadableUnitCountsAsItselfWhateverItHeld) {
  sim::SimDevice disk(kDisk);
  const Sha256 readable = superblock_print(disk);
  disk.fail_reads({{7}, {1}}, EIO);
  const Sha256 unreadable = superblock_print(disk);
  EXPECT_NE(unreadable, readable) << "not silently zeros";
  disk.poke({7}, sector_of(9));
  EXPECT_EQ(superblock_print(disk), unreadable);
  disk.poke({8}, sector_of(9));
  EXPECT_NE(superblock_print(disk), unreadable);
}

TEST(SuperblockPrint, ADiskSmallerThanTheAreaHasAPrint) {
  sim::SimDevice tiny({{8}, 4096, 4096});
  const Sha256 before = superblock_print(tiny);
  tiny.poke({7}, sector_of(1));
  EXPECT_NE(superblock_print(tiny), before);
}

}  // namespace
}  // namespace dmremap::discovery
