// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/host_name.hpp"

#include <array>

#include <unistd.h>

namespace dmremap::os {

std::string host_name() {
  std::array<char, 256> name{};
  // The last byte stays a zero.
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : std::string();
}

}  // namespace dmremap::os
