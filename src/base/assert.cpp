// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/endian.hpp"

namespace dmremap {

void assertion_failed(std::string_view condition, const char* file, int line) {
  fmt::print(stderr, "dmremap: assertion failed: {} ({}:{})\n", condition, file, line);
  std::abort();
}

void bounds_failure(std::size_t offset, std::size_t bytes, std::size_t size) {
  fmt::print(stderr, "dmremap: field [{}, +{}) outside a buffer of {} bytes\n", offset, bytes,
             size);
  std::abort();
}

}  // namespace dmremap
