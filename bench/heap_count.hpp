// SPDX-License-Identifier: GPL-2.0-or-later
// What operator new has handed out in this program: linked in, it replaces operator new and delete.
#pragma once

#include <cstdint>

namespace dmremap::bench {

// As the allocator counts them, its rounding included.
struct HeapCount {
  std::int64_t live_bytes = 0;
  std::int64_t taken_bytes = 0;  // in all, whatever was given back
  std::int64_t taken = 0;        // how often
};
[[nodiscard]] HeapCount heap_count();

}  // namespace dmremap::bench
