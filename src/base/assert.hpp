// SPDX-License-Identifier: GPL-2.0-or-later
// Assertions on our own logic. They stay on in release: a daemon that has lost its way must stop
// before it acknowledges anything. A byte that came from a disk is never asserted on.
#pragma once

#include <string_view>

namespace dmremap {

[[noreturn]] void assertion_failed(std::string_view condition, const char* file, int line);

}  // namespace dmremap

#define DMREMAP_ASSERT(condition)                      \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::dmremap::assertion_failed(#condition, __FILE__, __LINE__))
