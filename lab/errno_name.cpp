// SPDX-License-Identifier: GPL-2.0-or-later
#include "errno_name.hpp"

#include <cstring>

namespace dmremap::lab {

namespace {
constexpr int kErrnoLimit = 134;  // one past EHWPOISON, the last that Linux has
}

std::optional<int> errno_by_name(std::string_view name) {
  for (int number = 1; number < kErrnoLimit; ++number) {
    const char* const known = ::strerrorname_np(number);
    if (known != nullptr && name == known) return number;
  }
  return std::nullopt;
}

std::string name_of_errno(int number) {
  const char* const name = ::strerrorname_np(number);
  return name != nullptr ? name : "EIO";
}

}  // namespace dmremap::lab
