// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/claim.hpp"

#include <algorithm>
#include <iterator>

#include "os/sysfs.hpp"

namespace dmremap::claims {

namespace {

bool are_known_and_differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

bool is_machine_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

HostId this_host(const std::string& root) {
  HostId out;
  // Early in the boot the file may be empty or say "uninitialized".
  out.machine_id = os::read_attribute(root + "/etc/machine-id");
  if (!is_machine_id(out.machine_id)) out.machine_id.clear();
  out.product_uuid = os::read_attribute(root + "/sys/class/dmi/id/product_uuid");
  return out;
}

bool is_of_another_host(const Claim& claim, const HostId& here) {
  return are_known_and_differ(claim.host.machine_id, here.machine_id);
}

bool comes_up_on(const HostId& here, const Claim& claim) {
  return claim.enabled && !is_of_another_host(claim, here);
}

bool is_of_other_hardware(const Claim& claim, const HostId& here) {
  return are_known_and_differ(claim.host.product_uuid, here.product_uuid);
}

std::vector<format::Fact> facts_to_claim(const std::vector<format::Fact>& facts) {
  std::vector<format::Fact> out;
  std::ranges::copy_if(facts, std::back_inserter(out),
                       [](const format::Fact& fact) { return fact.kind < format::FactKind::path; });
  return out;
}

ClaimedDevice device_to_claim(std::string path, const format::Fingerprint& device,
                              const std::vector<format::Fact>& facts) {
  return {std::move(path), device.size, device.logical_block_bytes, facts_to_claim(facts)};
}

discovery::RecordedMain recorded(const ClaimedDevice& device) {
  discovery::RecordedMain out;
  out.fingerprint.size = device.size;
  out.fingerprint.logical_block_bytes = device.logical_block_bytes;
  out.facts = device.facts;
  return out;
}

}  // namespace dmremap::claims
