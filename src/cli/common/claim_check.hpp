// SPDX-License-Identifier: GPL-2.0-or-later
// Compares claims with what is there now.
#pragma once

#include <string>
#include <vector>

#include "claims/claim_store.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::cli {

// One thing that was found, in words.
struct ClaimFinding {
  bool needs_attention = false;
  std::string text;
};

// What there is to say of a claim, `all` being every claim of this host. Main is not read; the
// spare is, where it is found.
[[nodiscard]] std::vector<ClaimFinding> check_claim(const claims::ClaimFile& file,
                                                    const std::vector<claims::ClaimFile>& all,
                                                    const control::RuntimeDir& runtime);

}  // namespace dmremap::cli
