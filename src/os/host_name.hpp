// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace dmremap::os {

// As gethostname(2) has it, cut at 255 bytes; empty if it cannot be had.
[[nodiscard]] std::string host_name();

}  // namespace dmremap::os
