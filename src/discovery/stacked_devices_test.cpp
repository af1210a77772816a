// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/stacked_devices.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::discovery {
namespace {

// A sysfs with block devices 254:0, 254:1 and so on, and who holds whom.
class FakeSysfs {
 public:
  void add(unsigned minor) {
    const std::filesystem::path directory = device(minor);
    std::filesystem::create_directories(directory / "holders");
    std::filesystem::create_directories(directory / "slaves");
    std::ofstream(directory / "dev") << "254:" << minor << "\n";
  }
  void stack(unsigned above, unsigned below) {
    std::filesystem::create_directory_symlink(device(above),
                                              device(below) / "holders" / name(above));
    std::filesystem::create_directory_symlink(device(below),
                                              device(above) / "slaves" / name(below));
  }
  [[nodiscard]] std::vector<unsigned> on(const std::vector<unsigned>& below) const {
    std::vector<dev_t> devices;
    devices.reserve(below.size());
    for (const unsigned minor : below) devices.push_back(makedev(254, minor));
    std::vector<unsigned> out;
    for (const dev_t one : devices_stacked_on(devices, root_.path())) {
      out.push_back(minor(one));
    }
    return out;
  }

 private:
  [[nodiscard]] static std::string name(unsigned minor) { return fmt::format("dm-{}", minor); }
  [[nodiscard]] std::filesystem::path device(unsigned minor) const {
    return std::filesystem::path(root_.path()) / "dev/block" / fmt::format("254:{}", minor);
  }

  TemporaryDirectory root_;
};

TEST(StackedDevices, AreThoseOverOneAnother) {
  FakeSysfs sysfs;
  for (unsigned minor = 0; minor < 4; ++minor) sysfs.add(minor);
  sysfs.stack(1, 0);
  sysfs.stack(2, 1);
  EXPECT_EQ(sysfs.on({0}), (std::vector<unsigned>{1, 2}));
  EXPECT_EQ(sysfs.on({3}), std::vector<unsigned>{});
}

TEST(StackedDevices, OneThatNeedsAnotherDeviceTooIsNotAmongThem) {
  FakeSysfs sysfs;
  for (unsigned minor = 0; minor < 4; ++minor) sysfs.add(minor);
  sysfs.stack(2, 0);  // a mirror
  sysfs.stack(2, 1);
  sysfs.stack(3, 2);
  EXPECT_EQ(sysfs.on({0}), std::vector<unsigned>{});
  EXPECT_EQ(sysfs.on({0, 1}), (std::vector<unsigned>{2, 3}));
}

TEST(StackedDevices, OneOverTwoOfThemIsFoundOnce) {
  FakeSysfs sysfs;
  for (unsigned minor = 0; minor < 4; ++minor) sysfs.add(minor);
  sysfs.stack(3, 1);
  sysfs.stack(3, 2);
  sysfs.stack(1, 0);
  sysfs.stack(2, 0);
  EXPECT_EQ(sysfs.on({0}), (std::vector<unsigned>{1, 2, 3}));
}

TEST(StackedDevices, ADeviceThatIsGoneHasNone) {
  const FakeSysfs sysfs;
  EXPECT_EQ(sysfs.on({7}), std::vector<unsigned>{});
}

}  // namespace
}  // namespace dmremap::discovery
