// SPDX-License-Identifier: GPL-2.0-or-later
// Who uses what a set is served as: a stop waits for programs that only look at it, and names all
// others.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace dmremap::frontend {

// What a stop says. `uses`: as os::uses_of() tells. The kernel sees every mount; we see those of
// this mount namespace.
[[nodiscard]] tl::unexpected<Error> in_use(const std::string& path,
                                           const std::vector<std::string>& uses);

// Returns when `is_used` says no. Error device_in_use, naming the users, when os::Patience is over,
// or the error of `is_used`, which is asked every 50 ms from the calling thread.
[[nodiscard]] Result<void> wait_until_unused(const std::string& path,
                                             const std::function<Result<bool>()>& is_used);

}  // namespace dmremap::frontend
