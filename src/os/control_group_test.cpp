// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/control_group.hpp"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace dmremap::os {
namespace {

using Groups = std::vector<std::pair<std::string, std::string>>;

TEST(ControlGroup, IsThatBySystemd) {
  EXPECT_EQ(control_groups_in("0::/init.scope\n"), (Groups{{"/unified", "/init.scope"}}));
  const std::string both =
      "4:memory:/user.slice\n"
      "1:name=systemd:/system.slice/a:b.service\n"
      "0::/system.slice/a:b.service\n";
  EXPECT_EQ(control_groups_in(both), (Groups{{"/systemd", "/system.slice/a:b.service"},
                                             {"/unified", "/system.slice/a:b.service"}}));
  EXPECT_EQ(control_groups_in("3:cpu,cpuacct:/\n"), Groups());
  EXPECT_EQ(control_groups_in(""), Groups());
}

TEST(ControlGroup, OfAProcessThatIsInItIsJoinedAlready) {
  EXPECT_TRUE(join_control_group_of(::getpid()));
}

}  // namespace
}  // namespace dmremap::os
