// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/claim_check.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "claims/device_role.hpp"
#include "claims/present_devices.hpp"
#include "cli/common/lookup.hpp"
#include "discovery/assembly.hpp"
#include "os/set_link.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

using claims::Claim;
using claims::Role;
using Findings = std::vector<ClaimFinding>;

std::vector<std::string> paths_with(const std::vector<claims::FoundDevice>& found, Role role) {
  std::vector<std::string> out;
  for (const claims::FoundDevice& device : found) {
    if (device.role == role) out.push_back(device.path);
  }
  return out;
}

void check_host(const Claim& claim, Findings& out) {
  const claims::HostId here = claims::this_host();
  if (claims::is_of_another_host(claim, here)) {
    out.push_back(
        {true, fmt::format("the claim was written on another host, and the set does not come up "
                           "by itself here: `dmremap start {}` takes it over, `dmremap claims "
                           "--forget {}` drops it",
                           claim.name, to_string(claim.set_uuid))});
  } else if (claims::is_of_other_hardware(claim, here)) {
    out.push_back(
        {true, fmt::format("the claim was written on other hardware: was this system restored "
                           "or cloned? `dmremap start {}` takes it over",
                           claim.name)});
  }
}

// Another set with the same main: both cannot be right.
void check_rivals(const Claim& claim, const std::vector<claims::ClaimFile>& all, Findings& out) {
  for (const claims::ClaimFile& other : all) {
    if (!other.claim || other.name == claim.name) continue;
    const claims::PresentDevice theirs{other.claim->main.facts, {}};
    if (claims::role_in(claim, theirs, {}) == Role::main) {
      out.push_back({true, fmt::format("the set {} claims the same main device", other.name)});
    }
    if (other.claim->set_uuid == claim.set_uuid) {
      out.push_back({true, fmt::format("{} is a claim of the same set", other.name)});
    }
  }
}

void check_mounts(const Claim& claim, const std::vector<claims::FoundDevice>& found,
                  Findings& out) {
  for (const claims::FoundDevice& device : found) {
    if (device.role != Role::main && device.role != Role::part_of_main) continue;
    const auto storage = os::storage_of(device.path);
    if (!storage || !storage->is_block_device() || !claim.hides_main()) continue;
    for (const std::string& point : os::mounts_of(storage->device)) {
      out.push_back({true, fmt::format("bare main is mounted: {} on {}; unmount it, and mount {}",
                                       device.path, point, os::set_link(claim.name))});
    }
  }
}

void check_main(const Claim& claim, const std::vector<claims::FoundDevice>& found, Findings& out) {
  const auto mains = paths_with(found, Role::main);
  if (!claims::can_be_known(claim.main)) {
    out.push_back({true,
                   "main has no name of its own (no id, no serial number): it is not hidden at "
                   "boot, for a copy would look the same"});
  }
  if (!mains.empty()) {
    out.push_back({false, fmt::format("main is {}", fmt::join(mains, ", "))});
  } else if (claims::can_be_known(claim.main)) {
    out.push_back({true, fmt::format("main is not here; it was last seen at {}", claim.main.path)});
  }
}

bool holds_spare(const std::string& path, const Claim& claim, const claims::ClaimedSpare& spare) {
  const auto survey = discovery::survey_path(path);
  return survey && survey->set_uuid == claim.set_uuid && survey->spare_uuid == spare.uuid;
}

void check_spares(const Claim& claim, const std::vector<claims::FoundDevice>& found,
                  Findings& out) {
  for (const claims::ClaimedSpare& spare : claim.spares) {
    std::vector<std::string> places = paths_with(found, Role::spare);
    if (std::ranges::find(places, spare.device.path) == places.end()) {
      places.push_back(spare.device.path);
    }
    const auto there = std::ranges::find_if(
        places, [&](const std::string& path) { return holds_spare(path, claim, spare); });
    if (there != places.end()) {
      out.push_back({false, fmt::format("the spare is {}", *there)});
    } else {
      out.push_back(
          {true, fmt::format("the spare is not here; it was last seen at {}", spare.device.path)});
    }
  }
}

}  // namespace

std::vector<ClaimFinding> check_claim(const claims::ClaimFile& file,
                                      const std::vector<claims::ClaimFile>& all,
                                      const control::RuntimeDir& runtime) {
  if (!file.claim) return {{true, file.claim.error().message()}};
  const Claim& claim = *file.claim;
  Findings out;
  check_host(claim, out);
  check_rivals(claim, all, out);
  const bool runs = is_running(runtime, claim.name, claim.set_uuid);
  if (claim.served && !runs) {
    out.push_back({true, fmt::format("its last run ended without a clean stop: `dmremap start {}`",
                                     claim.name)});
  }
  const auto found = claims::find_devices(claim);
  check_main(claim, found, out);
  check_mounts(claim, found, out);
  check_spares(claim, found, out);
  return out;
}

}  // namespace dmremap::cli
