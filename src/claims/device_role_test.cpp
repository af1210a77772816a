// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/device_role.hpp"

#include <gtest/gtest.h>

namespace dmremap::claims {
namespace {

using format::Fact;
using format::FactKind;

constexpr const char* kFileSystem = "4c4c4544-0035-4a10-8051-b2c04f4a3132";

Claim claim() {
  Claim out;
  out.name = "data";
  out.main = {"/dev/sdb",
              {1000},
              512,
              {{FactKind::naa, "5000c500a1b2c3d4"},
               {FactKind::serial, "ZA1234"},
               {FactKind::file_system_uuid, kFileSystem}}};
  out.spares.push_back({Uuid{},
                        {"/dev/sdc1",
                         {500},
                         512,
                         {{FactKind::serial, "WX99"}, {FactKind::partition_start, "2048"}}}});
  return out;
}

Role role(const PresentDevice& device, const discovery::SharedFacts& shared = {}) {
  return role_in(claim(), device, shared);
}

TEST(DeviceRole, MainIsKnownByANameOfItsOwn) {
  EXPECT_EQ(role({{{FactKind::naa, "5000c500a1b2c3d4"}}, {}}), Role::main);
  EXPECT_EQ(role({{{FactKind::serial, "ZA1234"}}, {}}), Role::main);
}

TEST(DeviceRole, Promise14_ACopyOfMainIsNotMain) {
  EXPECT_EQ(
      role({{{FactKind::naa, "5000c500ffffffff"}, {FactKind::file_system_uuid, kFileSystem}}, {}}),
      Role::none);
  EXPECT_EQ(role({{{FactKind::file_system_uuid, kFileSystem}}, {}}), Role::none);
  EXPECT_EQ(role({{}, {}}), Role::none);
}

TEST(DeviceRole, ANameThatContradictsDecides) {
  EXPECT_EQ(role({{{FactKind::naa, "5000c500ffffffff"}, {FactKind::serial, "ZA1234"}}, {}}),
            Role::none);
}

TEST(DeviceRole, ASharedNameProvesNothing) {
  EXPECT_EQ(role({{{FactKind::serial, "ZA1234"}}, {}}, {{FactKind::serial, "ZA1234"}}), Role::none);
}

TEST(DeviceRole, Promise14_PartitionsOfMainAreMainToo) {
  const std::vector<Fact> disk{{FactKind::serial, "ZA1234"}};
  std::vector<Fact> part = disk;
  part.push_back({FactKind::partition_start, "2048"});
  EXPECT_EQ(role({part, disk}), Role::part_of_main);
}

TEST(DeviceRole, ASpareIsItsPartitionAlone) {
  const std::vector<Fact> disk{{FactKind::serial, "WX99"}};
  std::vector<Fact> part = disk;
  part.push_back({FactKind::partition_start, "2048"});
  EXPECT_EQ(role({part, disk}), Role::spare);
  part.back().value = "4096";
  EXPECT_EQ(role({part, disk}), Role::none);
  EXPECT_EQ(role({disk, {}}), Role::none);
}

TEST(DeviceRole, WithoutANameOfItsOwnADeviceCannotBeKnown) {
  EXPECT_TRUE(can_be_known(claim().main));
  ClaimedDevice copyable = claim().main;
  copyable.facts = {{FactKind::file_system_uuid, kFileSystem}};
  EXPECT_FALSE(can_be_known(copyable));
}

}  // namespace
}  // namespace dmremap::claims
