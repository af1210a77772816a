// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8: what is held is what was looked at.
#include "set/opening.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::set {
namespace {

class OpenDevicesTest : public ::testing::Test {
 protected:
  OpenDevicesTest() {
    for (discovery::Member* member : {&members_.main, &members_.spares.front()}) {
      make(member->path);
      member->seen = instance(member->path);
    }
  }
  static void make(const std::string& path) {
    std::ofstream(path).close();
    std::filesystem::resize_file(path, 16 * kMiB);
  }
  static discovery::DeviceInstance instance(const std::string& path) {
    const auto device = io::FileDevice::open(path, {});
    return discovery::instance_of(**device).value();
  }
  // Another file at the path; the one that was there lives on, so that its number stays taken.
  static void exchange(const std::string& path) {
    std::filesystem::rename(path, path + ".before");
    make(path);
  }
  [[nodiscard]] Error error() const {
    const auto opened = open_devices(members_, {});
    EXPECT_FALSE(opened);
    return opened ? Error{} : opened.error();
  }

  TemporaryDirectory directory_;
  discovery::Members members_{
      "data", {}, {directory_.path() + "/main", {}}, {{directory_.path() + "/spare", {}}}};
};

TEST_F(OpenDevicesTest, Promise8_AMainThatWasExchangedAfterTheLookIsRefused) {
  EXPECT_EQ(error().code, ErrorCode::no_metadata) << "the same devices: on to what they hold";
  exchange(members_.main.path);
  EXPECT_EQ(error().code, ErrorCode::missing_device);
  EXPECT_EQ(error().where, members_.main.path);
}

TEST_F(OpenDevicesTest, Promise8_ASpareThatWasExchangedAfterTheLookIsRefused) {
  exchange(members_.spares.front().path);
  EXPECT_EQ(error().code, ErrorCode::missing_device);
  EXPECT_EQ(error().where, members_.spares.front().path);
}

}  // namespace
}  // namespace dmremap::set
