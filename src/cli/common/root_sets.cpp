// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/root_sets.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "claims/present_devices.hpp"
#include "daemon/set_exports.hpp"
#include "discovery/device_names.hpp"
#include "os/mount_table.hpp"
#include "os/path.hpp"
#include "os/set_link.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

RootDevices devices_of_root() {
  RootDevices out;
  for (const os::Mount& mount : os::read_mounts()) {
    if (mount.mount_point != "/" && mount.mount_point != "/usr") continue;
    // Any file on it will do: what it lies on is the same.
    for (const os::Storage& one : os::beneath(os::Storage{mount.device, 1})) {
      if (!one.is_block_device()) continue;
      std::string node = os::node_of(one.device);
      auto device = claims::look_at(node);
      out.devices.push_back({std::move(node), device.value_or(claims::PresentDevice{})});
    }
  }
  if (!out.devices.empty()) out.shared = discovery::shared_facts(discovery::names_of_disks());
  return out;
}

bool holds_root(const claims::Claim& claim, const RootDevices& root) {
  const std::string own = os::link_target(os::set_link(claim.name));
  return std::ranges::any_of(root.devices, [&](const RootDevices::Device& device) {
    const std::string& node = device.node;
    if (!own.empty() && (node == own || node.starts_with(own + "p"))) return true;
    const claims::Role role = claims::role_in(claim, device.facts, root.shared);
    return role == claims::Role::main || role == claims::Role::part_of_main;
  });
}

std::vector<std::string> root_sets(const claims::ClaimStore& store) {
  const RootDevices root = devices_of_root();
  const claims::HostId here = claims::this_host();
  std::vector<std::string> out;
  for (const claims::ClaimFile& file : store.all()) {
    if (!file.claim || !claims::comes_up_on(here, *file.claim)) continue;
    if (holds_root(*file.claim, root)) out.push_back(file.name);
  }
  return out;
}

std::vector<std::string> advice_for_root(const std::string& name, bool enabled) {
  std::vector<std::string> out;
  if (!daemon::can_serve_ublk()) {
    out.push_back(
        "the root file system lies on main, and cannot be served on this machine: the kernel has "
        "no ublk driver, and without one nothing keeps requests while a process follows another "
        "(Linux 6.5 or later with ublk_drv; Debian 12: the kernel of backports)");
  }
  const std::string first = enabled ? "" : fmt::format("`dmremap enable {}`, then ", name);
  std::string text = fmt::format(
      "the root file system lies on main: {}make the initramfs anew (`update-initramfs -u`, or "
      "`dracut --force`), and the next boot has it from the set",
      first);
  out.push_back(std::move(text));
  return out;
}

}  // namespace dmremap::cli
