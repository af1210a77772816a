// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/hardware.hpp"

#include <array>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "discovery/candidates.hpp"
#include "discovery/device_facts.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/partitions.hpp"

namespace dmremap::discovery {
namespace {

namespace fs = std::filesystem;

// A made-up /sys and /dev.
class SysfsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dmremap-sysfs-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directories(root_ / "sys/dev/block");
    fs::create_directories(root_ / "sys/class/block");
    fs::create_directories(root_ / "dev");
  }
  void TearDown() override { fs::remove_all(root_); }

  static void put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  // `place` is relative to sys/devices; its last part is the name.
  fs::path add(const fs::path& place, const std::string& number, const std::string& size = "8") {
    fs::path directory = root_ / "sys/devices" / place;
    put(directory / "dev", number + "\n");
    put(directory / "size", size + "\n");
    fs::create_directory_symlink(directory, root_ / "sys/dev/block" / number);
    fs::create_directory_symlink(directory, root_ / "sys/class/block" / place.filename());
    std::string node = place.filename().string();
    if (const auto mark = node.find('!'); mark != std::string::npos) node[mark] = '/';
    put(root_ / "dev" / node, "");
    return directory;
  }
  [[nodiscard]] std::string sys() const { return (root_ / "sys").string(); }
  [[nodiscard]] std::string node(const std::string& name) const {
    return (root_ / "dev" / name).string();
  }

  fs::path root_;
};

TEST_F(SysfsTest, PartitionsAreThoseOfTheKernelInOrderOfAddress) {
  const fs::path disk = add("sda", "8:0");
  for (const auto& [name, number, start, size] : {std::array{"sda2", "2", "4096", "100"},
                                                  {"sda1", "1", "2048", "2048"},
                                                  {"sda5", "5", "9000", "0"}}) {
    put(disk / name / "partition", std::string(number) + "\n");
    put(disk / name / "start", std::string(start) + "\n");
    put(disk / name / "size", std::string(size) + "\n");
    put(disk / name / "dev", "8:" + std::string(number) + "\n");
  }
  put(disk / "queue/size", "1\n");
  const auto found = partitions_of(makedev(8, 0), sys());
  ASSERT_EQ(found.size(), 2U) << "one without sectors is none";
  EXPECT_EQ(found[0].number, 1U);
  EXPECT_EQ(found[1].range, (SectorRange{{4096}, {100}}));
  EXPECT_EQ(found[1].device, makedev(8, 2));
  EXPECT_TRUE(partitions_of(makedev(8, 16), sys()).empty());
}

TEST_F(SysfsTest, AScsiDiskIsNamedByItsPages) {
  const fs::path disk = add("sda", "8:0");
  put(disk / "device/wwid", "naa.5000C50012345678\n");
  put(disk / "device/model", "ST4000      \n");
  put(disk / "device/vpd_pg80", std::string("\0\x80\0\x0c    Z1234567", 16));
  const Hardware found = hardware_in_sysfs(makedev(8, 0), sys());
  EXPECT_EQ(found.wwn, "5000c50012345678");
  EXPECT_EQ(found.serial, "Z1234567");
  EXPECT_EQ(found.model, "ST4000");
}

TEST_F(SysfsTest, NamesKeepTheirTypes) {
  using format::Fact;
  using format::FactKind;
  const fs::path nvme = add("nvme0n1", "259:0");
  put(nvme / "wwid", "eui.0025385b71b0a1c2\n");
  put(nvme / "eui", "00 25 38 5b 71 b0 a1 c2\n");
  put(nvme / "nguid", "00000000-0000-0000-0000-000000000000\n");
  put(nvme / "uuid", "4d1e0ce0-8a6c-4b41-9e3c-2bd9e0f4a001\n");
  put(nvme / "device/serial", "S4EW\n");
  EXPECT_EQ(hardware_names(makedev(259, 0), sys()),
            (std::vector<Fact>{{FactKind::eui, "0025385b71b0a1c2"},
                               {FactKind::nvme_uuid, "4d1e0ce0-8a6c-4b41-9e3c-2bd9e0f4a001"},
                               {FactKind::serial, "S4EW"}}));
  put(add("dm-1", "253:1") / "dm/uuid", "mpath-35000c500a1b2c3d4\n");
  EXPECT_EQ(hardware_names(makedev(253, 1), sys()),
            (std::vector<Fact>{{FactKind::naa, "5000c500a1b2c3d4"}}));
  put(add("dm-2", "253:2") / "dm/uuid", "LVM-abc\n");
  EXPECT_EQ(hardware_names(makedev(253, 2), sys()),
            (std::vector<Fact>{{FactKind::dm_uuid, "LVM-abc"}}));
  put(add("sdc", "8:32") / "device/wwid", "naa.0000000000000000\n");
  EXPECT_TRUE(hardware_names(makedev(8, 32), sys()).empty()) << "a placeholder is no name";
}

TEST_F(SysfsTest, BehindAUsbBusNamesAreTheBridges) {
  using format::FactKind;
  const fs::path disk = add("pci0/usb2/2-1/2-1:1.0/host4/sdc", "8:32");
  put(disk / "device/wwid", "naa.5000c500a1b2c3d4\n");
  EXPECT_TRUE(is_behind_usb(makedev(8, 32), sys()));
  EXPECT_EQ(hardware_names(makedev(8, 32), sys()),
            (std::vector<format::Fact>{{FactKind::bridge_id, "naa.5000c500a1b2c3d4"}}));
  add("pci0/usbstuff/sdd", "8:48");
  EXPECT_FALSE(is_behind_usb(makedev(8, 48), sys()));
  EXPECT_FALSE(is_behind_usb(makedev(8, 99), sys()));
}

TEST_F(SysfsTest, ALegOfAMultipathMapIsSeenThroughTheMap) {
  const fs::path leg = add("pci0/host0/end_device-0/sda", "8:0");
  put(leg / "device/wwid", "naa.5000c500a1b2c3d4\n");
  put(leg / "holders/dm-0/dm/uuid", "mpath-35000c500a1b2c3d4\n");
  put(add("dm-0", "253:0") / "dm/uuid", "mpath-35000c500a1b2c3d4\n");
  const fs::path other = add("pci0/host0/end_device-1/sdb", "8:16");
  put(other / "device/wwid", "naa.5000c500bbbbbbbb\n");
  put(add("pci0/host0/end_device-1/sdb/sdb1", "8:17") / "partition", "1\n");
  const auto disks = names_of_disks(sys());
  ASSERT_EQ(disks.size(), 2U);
  EXPECT_EQ(disks[0].name, "dm-0");
  EXPECT_EQ(disks[1].name, "sdb");
  EXPECT_TRUE(disks[1].several_paths);
}

TEST_F(SysfsTest, ALoopDeviceWithoutAFileIsNotAskedForNames) {
  put(add("loop0", "7:0") / "serial", "WD-WX11A1234567\n");
  const fs::path used = add("loop1", "7:1");
  put(used / "serial", "WD-WX11A7654321\n");
  put(used / "loop/backing_file", "/image\n");
  const auto disks = names_of_disks(sys());
  ASSERT_EQ(disks.size(), 1U);
  EXPECT_EQ(disks[0].name, "loop1");
}

TEST_F(SysfsTest, APartitionHasTheNamesOfItsDisk) {
  const fs::path disk = add("sda", "8:0");
  put(disk / "device/wwid", "naa.5000c50012345678\n");
  put(add("sda/sda1", "8:1") / "partition", "1\n");
  EXPECT_EQ(hardware_in_sysfs(makedev(8, 1), sys()).wwn, "5000c50012345678");
}

TEST_F(SysfsTest, AMappedDeviceIsNamedByItsUuid) {
  put(add("dm-0", "253:0") / "dm/uuid", "LVM-abc\n");
  EXPECT_EQ(hardware_in_sysfs(makedev(253, 0), sys()).serial, "LVM-abc");
}

TEST_F(SysfsTest, WhatIsNotThereIsEmpty) {
  const Hardware found = hardware_in_sysfs(makedev(99, 0), sys());
  EXPECT_TRUE(found.wwn.empty());
  EXPECT_TRUE(found.serial.empty());
  put(add("sdb", "8:16") / "device/vpd_pg80", std::string("\0\x80\0", 3));
  EXPECT_TRUE(hardware_in_sysfs(makedev(8, 16), sys()).serial.empty());
}

TEST(NormalWwn, IsOneForEachWayOfWritingIt) {
  EXPECT_EQ(normal_wwn("0x5000C50012345678"), "5000c50012345678");
  EXPECT_EQ(normal_wwn("naa.5000c50012345678"), "5000c50012345678");
  EXPECT_EQ(normal_wwn("eui.0025385b71b0c3d2"), "0025385b71b0c3d2");
  EXPECT_EQ(normal_wwn("t10.ATA     ST4000"), "");
  EXPECT_EQ(normal_wwn(""), "");
}

TEST_F(SysfsTest, CandidatesAreDevicesThatCanHoldASet) {
  add("sda", "8:0");
  put(add("sda/sda1", "8:1") / "partition", "1\n");
  add("dm-0", "253:0");
  add("md127", "9:127");
  fs::create_directories(root_ / "dev/cciss");
  add("cciss!c0d0", "104:0");
  put(add("loop0", "7:0") / "loop/backing_file", "/x\n");
  put(add("loop0/loop0p1", "259:0") / "partition", "1\n");
  add("sdc", "8:32", "0");
  add("loop1", "7:1");
  add("sr0", "11:0");
  add("ram0", "1:0");
  add("zram0", "252:0");
  add("fd0", "2:0");
  put(add("nvme0c0n1", "259:7") / "hidden", "1\n");
  put(add("dm-1", "253:1") / "dm/uuid", "DMREMAP-0d4ee0a0-0000-4000-8000-000000000000-main\n");
  const auto found = block_devices(sys(), (root_ / "dev").string());
  EXPECT_EQ(found,
            (std::vector<std::string>{node("cciss/c0d0"), node("dm-0"), node("loop0"),
                                      node("loop0p1"), node("md127"), node("sda"), node("sda1")}));
}

}  // namespace
}  // namespace dmremap::discovery
