// SPDX-License-Identifier: GPL-2.0-or-later
// A device that does not answer, for tests: preloaded, an open of the path in HANG_OPENS_OF never
// returns.
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "intercepted_opens.hpp"

namespace dmremap::preload {

int intercepted_open(int directory, const char* path, int flags, mode_t mode) {
  const char* const hangs = std::getenv("HANG_OPENS_OF");
  while (hangs != nullptr && std::strcmp(path, hangs) == 0) pause();
  return real_open(directory, path, flags, mode);
}

}  // namespace dmremap::preload
