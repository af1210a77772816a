// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the machine runs on a battery, as ConditionACPower= of systemd.unit(5) sees it.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace dmremap::os {

// What the kernel says of one supply of power (Documentation/ABI/testing/sysfs-class-power).
struct PowerSupply {
  std::string type;    // Mains, USB, Battery, UPS ...
  std::string scope;   // Device: of a mouse or the like, not of the machine
  std::string online;  // of mains and USB: "1" if it supplies
  std::string status;  // of a battery: Charging, Discharging, Full ...
};

// A battery of the machine is being used up, and nothing else supplies it. Who has no battery, or
// says nothing of it, runs on mains.
[[nodiscard]] bool is_on_battery(std::span<const PowerSupply> supplies);

[[nodiscard]] std::vector<PowerSupply> power_supplies(const std::string& sys = "/sys");

}  // namespace dmremap::os
