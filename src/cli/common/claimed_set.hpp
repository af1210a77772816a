// SPDX-License-Identifier: GPL-2.0-or-later
// The claims of this host, for the verbs that look one up or change it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "claims/claim_store.hpp"
#include "control/runtime_dir.hpp"
#include "manual/command_line.hpp"

namespace dmremap::cli {

// The store of this user. Error permission: it has none.
[[nodiscard]] Result<claims::ClaimStore> claim_store(const control::RuntimeDir& runtime);

// The file of the claim of a set, by its name or UUID. A damaged one is returned too, by its name
// alone. Error not_claimed.
[[nodiscard]] Result<claims::ClaimFile> claim_of(const claims::ClaimStore& store,
                                                 const std::string& name_or_uuid);

// --wait SECONDS: how long a boot waits for a device of the set. Error usage.
void add_boot_wait(manual::Verb verb, std::string& text);
[[nodiscard]] Result<std::uint32_t> parse_boot_wait(const std::string& text);

}  // namespace dmremap::cli
