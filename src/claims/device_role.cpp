// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/device_role.hpp"

#include <algorithm>

namespace dmremap::claims {

namespace {

bool is_device(const ClaimedDevice& claimed, const std::vector<format::Fact>& names,
               const discovery::SharedFacts& shared) {
  if (names.empty()) return false;
  discovery::DeviceFacts seen;
  seen.facts = names;
  const auto verdict = discovery::identify(recorded(claimed), seen, shared);
  return verdict.identity == discovery::Identity::same;
}

}  // namespace

Role role_in(const Claim& claim, const PresentDevice& device,
             const discovery::SharedFacts& shared) {
  if (is_device(claim.main, device.names, shared)) return Role::main;
  // A spare may be a partition of the disk that main is another partition of, but not of main.
  const bool is_spare = std::ranges::any_of(claim.spares, [&](const ClaimedSpare& spare) {
    return is_device(spare.device, device.names, shared);
  });
  if (is_spare) return Role::spare;
  if (is_device(claim.main, device.disk_names, shared)) return Role::part_of_main;
  return Role::none;
}

bool can_be_known(const ClaimedDevice& device) {
  return discovery::has_own_name(device.facts);
}

}  // namespace dmremap::claims
