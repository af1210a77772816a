// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/udev_answer.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "discovery/fact_kinds.hpp"
#include "os/unit_name.hpp"

namespace dmremap::boot {

namespace {

using claims::Claim;
using claims::Role;

// The claim in which the device has this role by its names; null: none.
const Claim* claim_with(Role role, const claims::PresentDevice& device,
                        const std::vector<claims::ClaimFile>& claims,
                        const discovery::SharedFacts& shared) {
  const auto found = std::ranges::find_if(claims, [&](const claims::ClaimFile& file) {
    return file.claim && claims::role_in(*file.claim, device, shared) == role;
  });
  return found == claims.end() ? nullptr : &*found->claim;
}

const Claim* claim_of_spare(const UdevQuestion& question,
                            const std::vector<claims::ClaimFile>& claims) {
  const auto found = std::ranges::find_if(claims, [&](const claims::ClaimFile& file) {
    return file.claim && file.claim->set_uuid == question.set_on_it &&
           std::ranges::any_of(file.claim->spares, [&](const claims::ClaimedSpare& spare) {
             return spare.uuid == question.spare_on_it;
           });
  });
  return found == claims.end() ? nullptr : &*found->claim;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// Without its "@NAME.service"; empty: the set is not to be started here.
const char* unit_for(const std::string& name, const UdevQuestion& question) {
  if (question.is_initramfs) return has(question.root_sets, name) ? "dmremap-initrd" : "";
  // It is served already, by a process that nothing may end: it is followed by one of the host
  // (decision 030).
  return has(question.served_for_root, name) ? "dmremap-replace" : "dmremap";
}

Properties answer_with(const Claim& claim, const char* role, const UdevQuestion& question,
                       const claims::HostId& here) {
  Properties out{{"DMREMAP_ROLE", role}, {"DMREMAP_SET", claim.name}};
  const std::string unit = unit_for(claim.name, question);
  if (claims::comes_up_on(here, claim) && !unit.empty()) {
    out.emplace_back("DMREMAP_START", "1");
    out.emplace_back("DMREMAP_UNIT", unit + "@" + os::unit_name_escaped(claim.name) + ".service");
  }
  return out;
}

Properties answer_for_main(const Claim& claim, const char* role, const UdevQuestion& question,
                           const claims::HostId& here) {
  Properties out = answer_with(claim, role, question, here);
  if (claim.hides_main() && (question.was_hidden || !question.is_in_use)) {
    out.emplace_back("DMREMAP_HIDDEN", "1");
  }
  return out;
}

// Their UUIDs.
std::vector<std::string> file_systems_of(const Claim& claim) {
  return discovery::values_of(claim.main.facts, format::FactKind::file_system_uuid);
}

}  // namespace

std::vector<const Claim*> claims_with_copies(const std::vector<claims::ClaimFile>& claims,
                                             const claims::HostId& here) {
  std::vector<const Claim*> out;
  for (const claims::ClaimFile& file : claims) {
    if (file.claim && claims::comes_up_on(here, *file.claim) &&
        !file_systems_of(*file.claim).empty()) {
      out.push_back(&*file.claim);
    }
  }
  return out;
}

std::vector<const Claim*> claims_of_file_system(const std::string& uuid,
                                                const std::vector<claims::ClaimFile>& claims,
                                                const claims::HostId& here) {
  std::vector<const Claim*> out = claims_with_copies(claims, here);
  std::erase_if(out, [&](const Claim* claim) {
    const auto known = file_systems_of(*claim);
    return std::ranges::find(known, uuid) == known.end();
  });
  return out;
}

bool is_main(const claims::PresentDevice& device, const std::vector<claims::ClaimFile>& claims,
             const discovery::SharedFacts& shared) {
  return claim_with(Role::main, device, claims, shared) != nullptr ||
         claim_with(Role::part_of_main, device, claims, shared) != nullptr;
}

Properties answer(const UdevQuestion& question, const std::vector<claims::ClaimFile>& claims,
                  const claims::HostId& here, const discovery::SharedFacts& shared) {
  if (!question.served_set.empty()) {
    return {{"DMREMAP_ROLE", "set"}, {"DMREMAP_SET", question.served_set}};
  }
  // Several sets may claim one main; one that hides it is enough, so those are asked first.
  std::vector<claims::ClaimFile> hiding;
  std::ranges::copy_if(claims, std::back_inserter(hiding), [](const claims::ClaimFile& file) {
    return file.claim && file.claim->hides_main();
  });
  for (const auto* among : std::array<const std::vector<claims::ClaimFile>*, 2>{&hiding, &claims}) {
    if (const Claim* claim = claim_with(Role::main, question.device, *among, shared)) {
      return answer_for_main(*claim, "main", question, here);
    }
    if (const Claim* claim = claim_with(Role::part_of_main, question.device, *among, shared)) {
      return answer_for_main(*claim, "part-of-main", question, here);
    }
  }
  if (!question.set_on_it) {
    for (const Claim* claim : claims_of_file_system(question.file_system_uuid, claims, here)) {
      // Where the root file system lies on the set nothing else is that, however late main is.
      if ((question.is_initramfs && has(question.root_sets, claim->name)) ||
          std::ranges::find(question.sets_with_main, claim->set_uuid) !=
              question.sets_with_main.end()) {
        return {{"DMREMAP_ROLE", "copy"}, {"DMREMAP_SET", claim->name}};
      }
    }
    return {};
  }
  const Claim* const claim = claim_of_spare(question, claims);
  if (claim == nullptr) return {{"DMREMAP_ROLE", "foreign-spare"}};
  return answer_with(*claim, "spare", question, here);
}

}  // namespace dmremap::boot
