// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8: the spare is found again by what it holds, wherever it is, or no device is taken.
#include "set/held_spare.hpp"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include "base/file_descriptor.hpp"
#include "rig/store_rig.hpp"
#include "rig/temporary_directory.hpp"

namespace dmremap::set {
namespace {

constexpr SectorCount kSpare{32'768};

// Images in place of devices. That of the spare vanishes by losing all it has.
class HeldSpareTest : public ::testing::Test {
 protected:
  HeldSpareTest()
      : content_(metadata::first_content(kSpare)),
        main_(opened(make("main"), io::Holding::shared), io::Access::read_only, {}, own_) {
    auto device = opened(make("spare"), io::Holding::exclusive);
    EXPECT_TRUE(metadata::Store::create(*device, content_, random_, clock_));
    known_.last = *metadata::survey(*device)->decision.winner;
    HeldSpare::Parts parts;
    parts.device = std::move(device);
    parts.record = {content_.identity.set_uuid, content_.identity.spare_uuid, kSpare, 512, true};
    parts.known_commits = [this] { return known_; };
    parts.main = &main_;
    parts.own = &own_;
    parts.devices = [this] { return devices_; };
    spare_.emplace(std::move(parts));
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return directory_.path() + "/" + name;
  }
  std::string make(const std::string& name) {
    std::ofstream(path(name)).close();
    std::filesystem::resize_file(path(name), kSpare.bytes());
    return path(name);
  }
  static std::unique_ptr<io::FileDevice> opened(const std::string& path, io::Holding holding) {
    return std::move(io::FileDevice::open(path, {io::Access::read_write, holding}).value());
  }
  // A device that holds what the spare holds now.
  std::string copy(const std::string& name) {
    std::filesystem::copy_file(path("spare"), path(name));
    devices_.push_back(path(name));
    return path(name);
  }
  void lose_spare() { std::filesystem::resize_file(path("spare"), 0); }
  [[nodiscard]] bool answers() {
    std::array<std::byte, 512> unit{};
    return spare_->door().read({0}, unit).ok();
  }
  [[nodiscard]] Error error() {
    const auto found = spare_->find();
    EXPECT_FALSE(found);
    spare_->let_go();
    return found ? Error{} : found.error();
  }

  TemporaryDirectory directory_;
  format::Content content_;
  metadata::SeededRandom random_{7};
  metadata::FixedClock clock_;
  OwnDevices own_;
  HeldMain main_;
  metadata::KnownCommits known_;
  std::vector<std::string> devices_;
  std::optional<HeldSpare> spare_;
};

TEST_F(HeldSpareTest, Promise8_ItIsFoundUnderAnotherNameAndHeld) {
  devices_.push_back(make("blank"));
  const std::string back = copy("back");
  lose_spare();
  EXPECT_FALSE(answers());
  const auto found = spare_->find();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->path, back);
  EXPECT_EQ(found->last, known_.last);
  EXPECT_FALSE(answers()) << "it is not in use yet";
  spare_->attach();
  spare_->let_go();
  EXPECT_TRUE(answers());
  EXPECT_EQ(spare_->device()->path(), back);
  const auto other = io::FileDevice::open(back, {io::Access::read_write, io::Holding::exclusive});
  EXPECT_FALSE(other) << "it is held";
}

TEST_F(HeldSpareTest, Promise8_AnImageIsFoundAtItsPath) {
  copy("back");
  devices_.clear();
  lose_spare();
  // Another file at the path; the former one is still open.
  std::filesystem::rename(path("back"), path("spare"));
  const auto found = spare_->find();
  ASSERT_TRUE(found) << found.error().message();
  spare_->attach();
  EXPECT_TRUE(answers());
}

TEST_F(HeldSpareTest, OnALargerDeviceItMayGrow) {
  const std::string back = copy("back");
  const SectorCount larger{kSpare.value * 2};
  std::filesystem::resize_file(back, larger.bytes());
  lose_spare();
  const auto found = spare_->find();
  ASSERT_TRUE(found) << found.error().message();
  spare_->attach();
  spare_->let_go();
  const std::vector<std::byte> block(4096, std::byte{7});
  EXPECT_EQ(spare_->door().write({kSpare.value}, block).error, EINVAL)
      << "nobody has taken the room over yet";
  EXPECT_EQ(*spare_->take_growth(), larger);
  EXPECT_TRUE(spare_->door().write({kSpare.value}, block).ok());
}

TEST_F(HeldSpareTest, Promise8_WhileItAnswersNothingElseIsTaken) {
  copy("copy");
  EXPECT_EQ(error().code, ErrorCode::missing_device);
}

TEST_F(HeldSpareTest, Promise8_OfTwoThatQualifyNoneIsTaken) {
  const std::string one = copy("one");
  const std::string other = copy("other");
  lose_spare();
  const Error refused = error();
  EXPECT_EQ(refused.code, ErrorCode::ambiguous);
  EXPECT_NE(refused.what.find(one), std::string::npos);
  EXPECT_NE(refused.what.find(other), std::string::npos);
  // The same device by another name is not another device.
  std::filesystem::remove(other);
  std::filesystem::create_symlink(one, other);
  EXPECT_TRUE(spare_->find());
}

TEST_F(HeldSpareTest, Promise8_WhatIsNotAsTheSetLeftItIsNamed) {
  const std::string older = copy("older");
  lose_spare();
  known_.last.sequence += 1;
  const Error refused = error();
  EXPECT_EQ(refused.code, ErrorCode::metadata_doubtful);
  EXPECT_NE(refused.what.find(older + " is there, but holds an older state"), std::string::npos)
      << refused.what;
}

TEST_F(HeldSpareTest, Promise8_WhatOthersHoldIsNamed) {
  const std::string back = copy("back");
  lose_spare();
  const FileDescriptor other(::open(back.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  const Error refused = error();
  EXPECT_EQ(refused.code, ErrorCode::device_in_use);
  EXPECT_NE(refused.message().find(back), std::string::npos);
}

TEST_F(HeldSpareTest, Promise8_NeitherMainNorTheSetsOwnDeviceIsLookedAt) {
  const std::string served = copy("served");
  own_.add(served);
  // What main holds is not looked at, whatever it is.
  devices_.push_back(path("main"));
  std::filesystem::copy_file(path("spare"), path("main"),
                             std::filesystem::copy_options::overwrite_existing);
  lose_spare();
  EXPECT_EQ(error().code, ErrorCode::missing_device);
}

TEST_F(HeldSpareTest, WithoutAnyDeviceItIsNotBack) {
  lose_spare();
  EXPECT_EQ(error().code, ErrorCode::missing_device);
}

}  // namespace
}  // namespace dmremap::set
