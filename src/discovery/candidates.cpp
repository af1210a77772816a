// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/candidates.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "discovery/hardware_names.hpp"
#include "io/file_device.hpp"
#include "os/process_end.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"
#include "ublk/control.hpp"

namespace dmremap::discovery {

namespace {

// The UUIDs of the device-mapper devices of sets (frontend/dm/set_mappers.hpp).
constexpr std::string_view kOwnMappers = "DMREMAP-";

bool is_of_no_use(std::string_view name) {
  constexpr std::array<std::string_view, 4> kDrivers{"ram", "zram", "sr", "fd"};
  return std::ranges::any_of(kDrivers, [&](std::string_view driver) {
    return name.starts_with(driver) &&
           name.substr(driver.size()).find_first_not_of("0123456789") == std::string_view::npos;
  });
}

// Devices of ublk whose server has died or is dying: a request to one would wait until another
// server takes it over, and that may be what this very look is for.
std::set<std::uint32_t> ublk_devices_without_server() {
  std::set<std::uint32_t> out;
  auto control = ublk::Control::open();
  if (!control) return out;
  for (const ublk::DeviceInfo& device : control->devices()) {
    const bool is_dying =
        device.state == ublk::DeviceState::live && os::is_ending(device.server_pid);
    if (device.state == ublk::DeviceState::quiesced || is_dying) out.insert(device.id);
  }
  return out;
}

bool is_usable(const std::string& name, const std::string& directory) {
  if (is_of_no_use(name)) return false;
  const std::string size = os::read_attribute(directory + "/size");
  if (size.empty() || size == "0") return false;
  if (os::read_attribute(directory + "/hidden") == "1") return false;
  // Those of a set that is served by the kernel target show main, and a request to one may wait for
  // the process that this look is for.
  if (os::read_attribute(directory + "/dm/uuid").starts_with(kOwnMappers)) return false;
  const bool is_partition = !os::read_attribute(directory + "/partition").empty();
  if (!name.starts_with("loop") || is_partition) return true;
  return !os::read_attribute(directory + "/loop/backing_file").empty();
}

}  // namespace

std::vector<std::string> block_devices(const std::string& sys, const std::string& dev) {
  std::vector<std::string> found;
  std::optional<std::set<std::uint32_t>> dead;
  for (const std::string& name : os::names_in(sys + "/class/block")) {
    if (const auto number = ublk::block_number(name)) {
      if (!dead) dead = ublk_devices_without_server();
      if (dead->contains(*number)) continue;
    }
    if (!is_usable(name, fmt::format("{}/class/block/{}", sys, name))) continue;
    // The kernel writes the slashes of node names as exclamation marks: cciss!c0d0.
    std::string node = fmt::format("{}/{}", dev, name);
    std::replace(node.end() - static_cast<std::ptrdiff_t>(name.size()), node.end(), '!', '/');
    std::error_code error;
    if (std::filesystem::exists(node, error) && !error) found.push_back(std::move(node));
  }
  std::ranges::sort(found);
  return found;
}

bool may_be_device(const std::string& path, SectorCount size,
                   const std::vector<format::Fact>& facts) {
  const auto storage = os::storage_of(path);
  if (!storage || !storage->is_block_device()) return false;
  const auto names = hardware_names(storage->device);
  if (std::ranges::find_first_of(names, facts) != names.end()) return true;
  const auto device = io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
  return device && (*device)->geometry().size == size;
}

}  // namespace dmremap::discovery
