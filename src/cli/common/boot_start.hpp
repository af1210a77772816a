// SPDX-License-Identifier: GPL-2.0-or-later
// A start at boot: of a set that this host wants, when its devices are there.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "claims/claim.hpp"
#include "cli/common/device_wait.hpp"
#include "control/runtime_dir.hpp"

namespace dmremap::cli {

// The claim of a set that is to come up by itself on this host. Errors: not_claimed, claim_damaged,
// claim_of_another, permission.
[[nodiscard]] Result<claims::Claim> enabled_set(const std::string& name,
                                                const control::RuntimeDir& runtime);

// Serves a set until it is stopped, and says whether it was served: a device that is lost then is
// no reason to wait. `all_answer_within` is that of daemon::StartOptions.
using ServeOnce = std::function<Result<void>(
    bool& was_served, std::optional<std::chrono::nanoseconds> all_answer_within)>;

// Runs `serve` in the foreground at once, and then each time all devices are there, until it ends
// or fails in another way than that a device is missing, which may have vanished meanwhile. Where
// systemd mounts something from the set, a failure is told to it, so that it does not wait for the
// device in vain.
[[nodiscard]] Result<void> serve_when_present(const claims::Claim& claim,
                                              const control::RuntimeDir& runtime,
                                              const ServeOnce& serve);

}  // namespace dmremap::cli
