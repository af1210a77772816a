// SPDX-License-Identifier: GPL-2.0-or-later
// What udev is told of a block device (packaging/udev/59-dm-remap.rules). Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.hpp"
#include "claims/claim_store.hpp"
#include "claims/device_role.hpp"

namespace dmremap::boot {

// Properties for udev, by their keys.
using Properties = std::vector<std::pair<std::string, std::string>>;

// What is known of a device when udev asks.
struct UdevQuestion {
  claims::PresentDevice device;
  // The set whose stable link leads to the device: it is the set's own virtual device.
  std::string served_set;
  // The set and the device in the metadata on it; only devices that are no main are read for it.
  std::optional<Uuid> set_on_it;
  std::optional<Uuid> spare_on_it;
  // Of a device that is nothing of the above: the UUID of the file system that fills it, if a set
  // that is to come up has the same on its main, and the sets whose mains are here.
  std::string file_system_uuid;
  std::vector<Uuid> sets_with_main;
  bool was_hidden = false;  // at the last event of this device
  // It, a partition of it or the disk that it is a partition of is mounted, or has a holder.
  bool is_in_use = false;
  // In an initramfs, only sets that hold the root file system are started.
  bool is_initramfs = false;
  std::vector<std::string> root_sets;  // in an initramfs: what it has been made for
  // Sets that are served already by a process that outlives a shutdown, from the initramfs.
  std::vector<std::string> served_for_root;
};

// DMREMAP_ROLE   main, part-of-main, spare, foreign-spare (no claim of this host names it), set,
//                copy (of the file system of a set that comes up, while its main is here, or in an
//                initramfs for a root on that set: the UUID is the set's)
// DMREMAP_SET    the name of the set; missing for foreign-spare
// DMREMAP_HIDDEN 1: nobody may use the device but the set
// DMREMAP_START  1: the set is to come up by itself
// DMREMAP_UNIT   the unit of systemd that is to bring it up then
//
// None for a device that belongs to no set. What is in use and was not hidden stays as it is: its
// unit would be stopped, and so its mount taken away. Claims that cannot be read answer nothing.
[[nodiscard]] Properties answer(const UdevQuestion& question,
                                const std::vector<claims::ClaimFile>& claims,
                                const claims::HostId& here, const discovery::SharedFacts& shared);

// The claims of sets that are to come up on this host and have a file system on their main, of
// which another device may hold a copy. Without one, no device is read for its file system.
[[nodiscard]] std::vector<const claims::Claim*> claims_with_copies(
    const std::vector<claims::ClaimFile>& claims, const claims::HostId& here);

// Those of them with this file system.
[[nodiscard]] std::vector<const claims::Claim*> claims_of_file_system(
    const std::string& uuid, const std::vector<claims::ClaimFile>& claims,
    const claims::HostId& here);

// True if the device is main, or a part of it, by its names: it need not be read then.
[[nodiscard]] bool is_main(const claims::PresentDevice& device,
                           const std::vector<claims::ClaimFile>& claims,
                           const discovery::SharedFacts& shared);

}  // namespace dmremap::boot
