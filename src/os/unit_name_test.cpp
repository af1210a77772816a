// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/unit_name.hpp"

#include <gtest/gtest.h>

namespace dmremap::os {
namespace {

// What systemd-escape(1) and `systemd-escape --path --suffix=device` of systemd 252 print.
TEST(UnitName, IsAsSystemdHasIt) {
  EXPECT_EQ(unit_name_escaped("backup"), "backup");
  EXPECT_EQ(unit_name_escaped("my-set_2.old"), "my\\x2dset_2.old");
  EXPECT_EQ(unit_name_escaped("a b"), "a\\x20b");
  EXPECT_EQ(device_unit_of("/dev/dm-remap/my-set"), "dev-dm\\x2dremap-my\\x2dset.device");
  EXPECT_EQ(device_unit_of("/dev/disk/by-uuid/1234-ABCD"),
            "dev-disk-by\\x2duuid-1234\\x2dABCD.device");
  EXPECT_EQ(device_unit_of("/dev/.udev"), "dev-.udev.device");
}

TEST(UnitName, IsReadBackAsItWas) {
  for (const char* name : {"backup", "my-set", "a--b", "-", "x2d", "\\", ".hidden"}) {
    EXPECT_EQ(unit_name_unescaped(unit_name_escaped(name)), name);
  }
  EXPECT_EQ(unit_name_unescaped("my-set"), "my-set");
  EXPECT_EQ(unit_name_unescaped("broken\\x2"), "broken\\x2");
  EXPECT_EQ(unit_name_unescaped("broken\\xzz"), "broken\\xzz");
}

}  // namespace
}  // namespace dmremap::os
