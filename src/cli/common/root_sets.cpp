// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/root_sets.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "claims/device_role.hpp"
#include "claims/present_devices.hpp"
#include "daemon/set_exports.hpp"
#include "discovery/device_names.hpp"
#include "os/mount_table.hpp"
#include "os/path.hpp"
#include "os/sysfs.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

// A file system with device numbers of its own (btrfs) is found by its source.
std::optional<os::Storage> storage_of_mount(const os::Mount& mount) {
  if (os::names_in(os::sysfs_directory_of(mount.device)).empty()) {
    return os::storage_of(mount.source);
  }
  return os::Storage{mount.device, 0};
}

}  // namespace

std::vector<std::string> devices_of_root() {
  std::vector<std::string> out;
  for (const os::Mount& mount : os::read_mounts()) {
    if (mount.mount_point != "/" && mount.mount_point != "/usr") continue;
    const auto storage = storage_of_mount(mount);
    if (!storage || !storage->is_block_device()) continue;
    for (const os::Storage& one : os::beneath(*storage)) {
      if (one.is_block_device()) out.push_back(os::node_of(one.device));
    }
  }
  return out;
}

bool holds_root(const claims::Claim& claim, const std::vector<std::string>& devices) {
  const std::string own = os::link_target("/dev/dm-remap/" + claim.name);
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  return std::ranges::any_of(devices, [&](const std::string& node) {
    if (!own.empty() && (node == own || node.starts_with(own + "p"))) return true;
    const auto device = claims::look_at(node);
    const claims::Role role = device ? claims::role_in(claim, *device, shared) : claims::Role::none;
    return role == claims::Role::main || role == claims::Role::part_of_main;
  });
}

std::vector<std::string> root_sets(const claims::ClaimStore& store) {
  const auto devices = devices_of_root();
  std::vector<std::string> out;
  for (const claims::ClaimFile& file : store.all()) {
    if (!file.claim || !file.claim->enabled) continue;
    if (claims::is_of_another_host(*file.claim, claims::this_host())) continue;
    if (holds_root(*file.claim, devices)) out.push_back(file.name);
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
