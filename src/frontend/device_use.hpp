// SPDX-License-Identifier: GPL-2.0-or-later
// What a stop says of a device that is in use.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/result.hpp"

namespace dmremap::frontend {

// `uses`: as os::uses_of() tells. The kernel sees every mount; we see those of this mount
// namespace.
[[nodiscard]] inline tl::unexpected<Error> in_use(const std::string& node,
                                                  const std::vector<std::string>& uses) {
  return fail(ErrorCode::device_in_use,
              uses.empty() ? "in use, by what cannot be seen from here"
                           : fmt::format("in use: {}", fmt::join(uses, ", ")),
              node, "unmount it and end what uses it, then try again");
}

}  // namespace dmremap::frontend
