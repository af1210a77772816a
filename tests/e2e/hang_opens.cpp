// SPDX-License-Identifier: GPL-2.0-or-later
// A device that does not answer, for tests: preloaded, an open of the path in HANG_OPENS_OF returns
// when somebody opens the FIFO with the name in HANG_OPENS_UNTIL for writing, and never without
// that. It waits in the kernel, and uses no processor meanwhile, as with such a device: by that it
// is known.
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "intercepted_opens.hpp"

namespace dmremap::preload {

int intercepted_open(int directory, const char* path, int flags, mode_t mode) {
  const char* const hangs = std::getenv("HANG_OPENS_OF");
  const char* const until = std::getenv("HANG_OPENS_UNTIL");
  while (hangs != nullptr && std::strcmp(path, hangs) == 0) {
    if (until == nullptr) {
      ::pause();
    } else if (const int fifo = real_open(AT_FDCWD, until, O_RDONLY | O_CLOEXEC, 0); fifo >= 0) {
      ::close(fifo);
      break;
    }
  }
  return real_open(directory, path, flags, mode);
}

}  // namespace dmremap::preload
