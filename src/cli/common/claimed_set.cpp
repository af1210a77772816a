// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/claimed_set.hpp"

#include <utility>

#include <fmt/format.h>

#include "discovery/host_configuration.hpp"
#include "format/policy_section.hpp"

namespace dmremap::cli {

Result<claims::ClaimStore> claim_store(const control::RuntimeDir& runtime) {
  claims::ClaimStore store(runtime.claims());
  if (store.keeps_claims()) return store;
  return fail(ErrorCode::permission, "only root keeps claims of sets", "/etc/dm-remap",
              "run it as root, or set DMREMAP_CONFIG_DIR");
}

Result<claims::ClaimFile> claim_of(const claims::ClaimStore& store,
                                   const std::string& name_or_uuid) {
  if (auto named = store.find(name_or_uuid)) return std::move(*named);
  const auto uuid = parse_uuid(name_or_uuid);
  for (claims::ClaimFile& file : store.all()) {
    if (uuid && file.claim && file.claim->set_uuid == *uuid) return std::move(file);
  }
  return fail(ErrorCode::not_claimed, "this host keeps no claim of such a set", name_or_uuid,
              "see `dmremap claims`; `dmremap start` of a set on this host writes one");
}

void add_boot_wait(manual::Verb verb, std::string& text) {
  verb.add_option("--wait", text,
                  "how long a boot waits for a device of the set before it goes on without (30 s)")
      .type_name("SECONDS");
}

Result<std::uint32_t> parse_boot_wait(const std::string& text) {
  if (const auto seconds = discovery::boot_wait_of(text)) return *seconds;
  return fail(
      ErrorCode::usage, "is no number of seconds", text,
      fmt::format("--wait takes {} to {}", format::kBootWaitS.least, format::kBootWaitS.most));
}

}  // namespace dmremap::cli
