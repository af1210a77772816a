// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/power.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::os {
namespace {

PowerSupply mains(const char* online) {
  return {"Mains", "", online, ""};
}
PowerSupply battery(const char* status, const char* scope = "System") {
  return {"Battery", scope, "", status};
}

bool on_battery(const std::vector<PowerSupply>& supplies) {
  return is_on_battery(supplies);
}

TEST(Power, OnBatteryIsWhoUsesItUpAndHasNothingElse) {
  EXPECT_TRUE(on_battery({mains("0"), battery("Discharging")}));
  EXPECT_TRUE(on_battery({battery("Discharging")}));
  EXPECT_TRUE(on_battery({battery("Full"), battery("Discharging")})) << "one of two";
  EXPECT_FALSE(on_battery({mains("1"), battery("Discharging")})) << "a weak charger";
  EXPECT_FALSE(on_battery({battery("Discharging"), {"USB", "", "1", ""}}));
  EXPECT_TRUE(on_battery({battery("Discharging"), {"USB", "", "0", ""}}));
  EXPECT_FALSE(on_battery({mains("0"), battery("Charging")}));
}

TEST(Power, WhoKnowsOfNoBatteryRunsOnMains) {
  EXPECT_FALSE(on_battery({}));
  EXPECT_FALSE(on_battery({mains("0")}));
  EXPECT_FALSE(on_battery({battery("Unknown")}));
  EXPECT_FALSE(on_battery({{"", "", "", ""}}));
  EXPECT_FALSE(on_battery({battery("Discharging", "Device")})) << "a mouse";
  EXPECT_FALSE(on_battery({{"UPS", "", "1", "Discharging"}})) << "what it feeds, nobody knows";
}

TEST(Power, IsReadFromTheKernel) {
  const TemporaryDirectory sys;
  EXPECT_TRUE(power_supplies(sys.path()).empty());
  const auto put = [&](const std::string& supply, const std::string& name, const char* value) {
    const std::string directory = sys.path() + "/class/power_supply/" + supply;
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/" + name) << value << "\n";
  };
  put("AC", "type", "Mains");
  put("AC", "online", "0");
  put("BAT0", "type", "Battery");
  put("BAT0", "status", "Discharging");
  EXPECT_TRUE(is_on_battery(power_supplies(sys.path())));
  put("AC", "online", "1");
  EXPECT_FALSE(is_on_battery(power_supplies(sys.path())));
  put("AC", "online", "0");
  put("BAT0", "scope", "Device");
  EXPECT_FALSE(is_on_battery(power_supplies(sys.path())));
}

}  // namespace
}  // namespace dmremap::os
