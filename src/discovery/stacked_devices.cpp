// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/stacked_devices.hpp"

#include <algorithm>

#include "os/sysfs.hpp"

namespace dmremap::discovery {

std::vector<dev_t> devices_stacked_on(const std::vector<dev_t>& below, const std::string& sys) {
  std::vector<dev_t> known = below;
  const auto is_known = [&](dev_t device) {
    return std::ranges::find(known, device) != known.end();
  };
  const auto number_of = [](const std::string& directory) {
    return os::parse_device_number(os::read_attribute(directory + "/dev")).value_or(0);
  };
  // Until nothing is added any more: one that lies on two of them is looked at once from each, and
  // taken when the second is known.
  for (std::size_t before = 0; before != known.size();) {
    before = known.size();
    for (std::size_t at = 0; at < known.size(); ++at) {
      const std::string holders = os::sysfs_directory_of(known[at], sys) + "/holders/";
      for (const std::string& name : os::names_in(holders)) {
        const std::string holder = holders + name;
        const dev_t device = number_of(holder);
        if (device == 0 || is_known(device)) continue;
        const std::string slaves = holder + "/slaves/";
        const bool lies_here = std::ranges::all_of(os::names_in(slaves), [&](const auto& slave) {
          return is_known(number_of(slaves + slave));
        });
        if (lies_here) known.push_back(device);
      }
    }
  }
  known.erase(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(below.size()));
  return known;
}

}  // namespace dmremap::discovery
