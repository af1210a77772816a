// SPDX-License-Identifier: GPL-2.0-or-later
// The sets that the root file system lies on, or will lie on from the next boot.
#pragma once

#include <string>
#include <vector>

#include "claims/claim.hpp"
#include "claims/claim_store.hpp"
#include "claims/device_role.hpp"

namespace dmremap::cli {

// The devices beneath `/` and `/usr`: each file system's own, and all that it lies on.
struct RootDevices {
  struct Device {
    std::string node;             // in /dev
    claims::PresentDevice facts;  // empty if it cannot be opened
  };
  std::vector<Device> devices;
  discovery::SharedFacts shared;  // of all present disks
};
[[nodiscard]] RootDevices devices_of_root();

// True if one of these devices is the set's own or one of its partitions, or is main or lies on it.
[[nodiscard]] bool holds_root(const claims::Claim& claim, const RootDevices& root);

// The names of the enabled sets of this host that hold the root file system.
[[nodiscard]] std::vector<std::string> root_sets(const claims::ClaimStore& store);

// What a user is to know and to do of a set that holds the root file system; a sentence each.
// `enabled`: it comes up by itself.
[[nodiscard]] std::vector<std::string> advice_for_root(const std::string& name, bool enabled);

}  // namespace dmremap::cli
