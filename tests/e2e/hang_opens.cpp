// SPDX-License-Identifier: GPL-2.0-or-later
// A device that does not answer, for tests: preloaded, an open of the path in HANG_OPENS_OF returns
// when there is a file with the name in HANG_OPENS_UNTIL, and never without that.
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "intercepted_opens.hpp"

namespace dmremap::preload {

int intercepted_open(int directory, const char* path, int flags, mode_t mode) {
  const char* const hangs = std::getenv("HANG_OPENS_OF");
  const char* const until = std::getenv("HANG_OPENS_UNTIL");
  constexpr useconds_t kMoment = 20'000;
  while (hangs != nullptr && std::strcmp(path, hangs) == 0) {
    if (until != nullptr && ::access(until, F_OK) == 0) break;
    ::usleep(kMoment);
  }
  return real_open(directory, path, flags, mode);
}

}  // namespace dmremap::preload
