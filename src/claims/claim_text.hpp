// SPDX-License-Identifier: GPL-2.0-or-later
// A claim as the text of its file (docs/boot.md, "The file of a claim"). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "claims/claim.hpp"

namespace dmremap::claims {

inline constexpr int kClaimVersion = 1;

[[nodiscard]] std::string to_text(const Claim& claim);

// Accepts any bytes. `path` is for messages. Error claim_damaged: it is cut off (the last line of a
// whole file is "[end]"), of a newer version, lacks something, says something twice, or names one
// device as main and as spare. Unknown keys are skipped: a newer version may add some.
[[nodiscard]] Result<Claim> parse_claim(std::string_view text, const std::string& path);

}  // namespace dmremap::claims
