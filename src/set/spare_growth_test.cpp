// SPDX-License-Identifier: GPL-2.0-or-later
// Which room of a longer spare is taken over, and how an image is made longer.
#include "set/spare_growth.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/extent.hpp"
#include "set/spare_room.hpp"

namespace dmremap::set {
namespace {

constexpr SectorCount kUsed{32'768};

TEST(SizeToGrowTo, AllOfALongerDeviceInWholeBlocks) {
  EXPECT_EQ(*size_to_grow_to(kUsed, {65'536}, "spare"), SectorCount{65'536});
  EXPECT_EQ(*size_to_grow_to(kUsed, {65'543}, "spare"), SectorCount{65'536});
}

TEST(SizeToGrowTo, NothingNewIsRefusedAndSaysSo) {
  for (const std::uint64_t size : {32'768U, 32'769U, 32'775U}) {
    const auto refused = size_to_grow_to(kUsed, {size}, "spare");
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().code, ErrorCode::device_too_small);
    EXPECT_NE(refused.error().what.find("no new room"), std::string::npos);
  }
}

TEST(SizeToGrowTo, ASpareThatShrankIsRefusedAndSaysSo) {
  const auto refused = size_to_grow_to(kUsed, {32'760}, "spare");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::device_too_small);
  EXPECT_NE(refused.error().what.find("shrank from 32768 to 32760"), std::string::npos);
}

TEST(UnusedRoom, ItIsPointedOutWithTheCommandToType) {
  EXPECT_EQ(unused_room_note("backup", room_to_grow(kUsed, {65'536})),
            "the spare is 16 MiB longer than what the set uses: `dmremap spare grow backup` takes "
            "that over");
  for (const std::uint64_t size : {16'384U, 32'768U, 32'775U}) {
    EXPECT_EQ(unused_room_note("backup", room_to_grow(kUsed, {size})), "") << size;
  }
}

TEST(SizeToGrowTo, AddressesEndAt512TiB) {
  EXPECT_EQ(*size_to_grow_to(kUsed, {std::uint64_t{1} << 41U}, "spare"),
            SectorCount{format::kMaxSector + 1});
}

class Lengthening : public ::testing::Test {
 protected:
  Lengthening() {
    std::string name = (std::filesystem::temp_directory_path() / "grow-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = name + "/spare.img";
    std::ofstream(path_) << "data";
    std::filesystem::resize_file(path_, kBytes);
    device_ =
        std::move(*io::FileDevice::open(path_, {io::Access::read_write, io::Holding::exclusive}));
  }
  ~Lengthening() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::uint64_t length() const { return std::filesystem::file_size(path_); }

  static constexpr std::uint64_t kBytes = 64 * kKiB;
  std::filesystem::path directory_;
  std::string path_;
  std::unique_ptr<io::FileDevice> device_;
};

TEST_F(Lengthening, TheImageHasItsRoomReservedAndKeepsItsData) {
  ASSERT_TRUE(lengthen_image(*device_, 256 * kKiB));
  EXPECT_EQ(length(), 256 * kKiB);
  struct stat facts {};
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_GE(facts.st_blocks * 512, static_cast<std::int64_t>(192 * kKiB));
  std::string begin(4, ' ');
  std::ifstream(path_).read(begin.data(), 4);
  EXPECT_EQ(begin, "data");
}

TEST_F(Lengthening, ItIsRoundedUpToBlocks) {
  ASSERT_TRUE(lengthen_image(*device_, 256 * kKiB + 1));
  EXPECT_EQ(length(), 260 * kKiB);
}

TEST_F(Lengthening, TheSameLengthAgainChangesNothing) {
  ASSERT_TRUE(lengthen_image(*device_, kBytes));
  EXPECT_EQ(length(), kBytes);
}

TEST_F(Lengthening, ItIsNeverMadeShorter) {
  const auto refused = lengthen_image(*device_, kBytes / 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::device_too_small);
  EXPECT_EQ(length(), kBytes);
}

TEST_F(Lengthening, WhereThereIsNoRoomItStaysAsItWas) {
  const auto refused = lengthen_image(*device_, std::uint64_t{1} << 50U);
  ASSERT_FALSE(refused);
  EXPECT_EQ(length(), kBytes);
  const auto absurd = lengthen_image(*device_, std::uint64_t{1} << 63U);
  ASSERT_FALSE(absurd);
  EXPECT_EQ(absurd.error().code, ErrorCode::device_too_large);
}

TEST_F(Lengthening, AnOpenDeviceServesWhatCameToIt) {
  const std::vector<std::byte> block(4096, std::byte{7});
  const Sector behind = Sector{} + SectorCount::from_bytes(kBytes);
  EXPECT_EQ(device_->write(behind, block).error, EINVAL);
  ASSERT_TRUE(lengthen_image(*device_, 2 * kBytes));
  EXPECT_EQ(device_->write(behind, block).error, EINVAL) << "it was not taken over yet";
  EXPECT_EQ(*device_->take_growth(), SectorCount::from_bytes(2 * kBytes));
  EXPECT_TRUE(device_->write(behind, block).ok());
  EXPECT_EQ(device_->size_opened(), SectorCount::from_bytes(kBytes)) << "and is still news";
  device_->accept_size(SectorCount::from_bytes(2 * kBytes));
  EXPECT_EQ(device_->size_opened(), SectorCount::from_bytes(2 * kBytes));
  EXPECT_EQ(device_->geometry().size, SectorCount::from_bytes(2 * kBytes));
}

// As a spare that comes back on a larger device is served until it grows.
TEST_F(Lengthening, AnOpenDeviceThatServesLessThanThereIsServesAllOfIt) {
  io::Geometry less = device_->geometry();
  less.size = SectorCount::from_bytes(kBytes / 2);
  device_->serve_as(less);
  const std::vector<std::byte> block(4096, std::byte{7});
  const Sector behind = Sector{} + less.size;
  EXPECT_EQ(device_->write(behind, block).error, EINVAL);
  EXPECT_EQ(*device_->take_growth(), SectorCount::from_bytes(kBytes));
  EXPECT_TRUE(device_->write(behind, block).ok());
}

TEST_F(Lengthening, AnOpenDeviceThatShrankIsNotTakenSmaller) {
  std::filesystem::resize_file(path_, kBytes / 2);
  EXPECT_EQ(*device_->take_growth(), SectorCount::from_bytes(kBytes / 2));
  EXPECT_EQ(device_->size_opened(), SectorCount::from_bytes(kBytes));
}

}  // namespace
}  // namespace dmremap::set
