// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/power.hpp"

#include "os/sysfs.hpp"

namespace dmremap::os {

bool is_on_battery(std::span<const PowerSupply> supplies) {
  bool used_up = false;
  for (const PowerSupply& supply : supplies) {
    if (supply.scope == "Device") continue;
    const bool is_outside = supply.type == "Mains" || supply.type == "USB";
    if (is_outside && supply.online == "1") return false;
    if (supply.type == "Battery" && supply.status == "Discharging") used_up = true;
  }
  return used_up;
}

std::vector<PowerSupply> power_supplies(const std::string& sys) {
  const std::string directory = sys + "/class/power_supply/";
  std::vector<PowerSupply> out;
  for (const std::string& name : names_in(directory)) {
    const auto attribute = [&](const char* which) {
      return read_attribute(directory + name + "/" + which);
    };
    out.push_back(
        {attribute("type"), attribute("scope"), attribute("online"), attribute("status")});
  }
  return out;
}

}  // namespace dmremap::os
