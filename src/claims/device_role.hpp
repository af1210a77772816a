// SPDX-License-Identifier: GPL-2.0-or-later
// What a present device is to the sets that a host claims. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "claims/claim.hpp"
#include "discovery/identity.hpp"
#include "format/recorded_facts.hpp"

namespace dmremap::claims {

// What a device shows without being read.
struct PresentDevice {
  std::vector<format::Fact> names;       // discovery/device_names.hpp
  std::vector<format::Fact> disk_names;  // of the disk that it is a partition of; else empty
};

enum class Role {
  none,
  main,
  part_of_main,  // a partition on a main that is a whole disk
  spare,
};

// What the device is in this set. It is main, or a spare, only if a name that no copy has proves
// it: what `dd` copies proves nothing here, so that a healthy disk that main was copied to is no
// main. `shared`: names that several present disks have, and that prove nothing.
[[nodiscard]] Role role_in(const Claim& claim, const PresentDevice& device,
                           const discovery::SharedFacts& shared);

// True if some device can be proved to be main by what is claimed of it: it has a name of its own.
[[nodiscard]] bool can_be_known(const ClaimedDevice& device);

}  // namespace dmremap::claims
