// SPDX-License-Identifier: GPL-2.0-or-later
// A device that does not answer, for tests: preloaded, an open of the path in HANG_OPENS_OF never
// returns.
// Both names of each function are defined here: the build must not make one of the other.
#undef _FILE_OFFSET_BITS

#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

namespace {

using OpenAt = int (*)(int, const char*, int, mode_t);

int open_or_hang(int directory, const char* path, int flags, mode_t mode) {
  static const auto real = reinterpret_cast<OpenAt>(dlsym(RTLD_NEXT, "openat64"));
  const char* const hangs = std::getenv("HANG_OPENS_OF");
  while (hangs != nullptr && std::strcmp(path, hangs) == 0) pause();
  return real(directory, path, flags, mode);
}

}  // namespace

// The C library declares the mode as what may follow; without O_CREAT it is of no meaning.
#define DMREMAP_MODE_AFTER(last)                            \
  va_list rest;                                             \
  va_start(rest, last);                                     \
  const auto mode = static_cast<mode_t>(va_arg(rest, int)); \
  va_end(rest)

extern "C" int open(const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_or_hang(AT_FDCWD, path, flags, mode);
}
extern "C" int open64(const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_or_hang(AT_FDCWD, path, flags, mode);
}
extern "C" int openat(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_or_hang(directory, path, flags, mode);
}
extern "C" int openat64(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_or_hang(directory, path, flags, mode);
}
