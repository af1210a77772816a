// SPDX-License-Identifier: GPL-2.0-or-later
// The claims of this host, for the verbs that look one up or change it.
#pragma once

#include <string>

#include "base/result.hpp"
#include "claims/claim_store.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::cli {

// The store of this user. Error permission: it has none.
[[nodiscard]] Result<claims::ClaimStore> claim_store(const control::RuntimeDir& runtime);

// The file of the claim of a set, by its name or UUID. A damaged one is returned too, by its name
// alone. Error not_claimed.
[[nodiscard]] Result<claims::ClaimFile> claim_of(const claims::ClaimStore& store,
                                                 const std::string& name_or_uuid);

}  // namespace dmremap::cli
