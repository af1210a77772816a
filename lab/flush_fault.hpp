// SPDX-License-Identifier: GPL-2.0-or-later
// How the flushes of a disk end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::lab {

struct FlushFault {
  int error = 0;            // 0: they succeed
  std::uint64_t times = 0;  // so many, then they succeed again; 0: all
};

// `ok`, `ERRNO` or `ERRNO:TIMES`. Error: usage.
[[nodiscard]] Result<FlushFault> parse_flush_fault(std::string_view text);
[[nodiscard]] std::string print_flush_fault(const FlushFault& fault);

}  // namespace dmremap::lab
