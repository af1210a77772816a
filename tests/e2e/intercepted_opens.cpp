// SPDX-License-Identifier: GPL-2.0-or-later
#include "intercepted_opens.hpp"

// Both names of each function are defined here: compiled with -U_FILE_OFFSET_BITS, for the C
// library's headers must not make one of the other.

#include <cstdarg>

#include <dlfcn.h>
#include <fcntl.h>

namespace dmremap::preload {

int real_open(int directory, const char* path, int flags, mode_t mode) {
  using OpenAt = int (*)(int, const char*, int, mode_t);
  static const auto real = reinterpret_cast<OpenAt>(dlsym(RTLD_NEXT, "openat64"));
  return real(directory, path, flags, mode);
}

}  // namespace dmremap::preload

// The C library declares the mode as what may follow; without O_CREAT it is of no meaning.
#define DMREMAP_MODE_AFTER(last)                            \
  va_list rest;                                             \
  va_start(rest, last);                                     \
  const auto mode = static_cast<mode_t>(va_arg(rest, int)); \
  va_end(rest)

extern "C" int open(const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return dmremap::preload::intercepted_open(AT_FDCWD, path, flags, mode);
}
extern "C" int open64(const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return dmremap::preload::intercepted_open(AT_FDCWD, path, flags, mode);
}
extern "C" int openat(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return dmremap::preload::intercepted_open(directory, path, flags, mode);
}
extern "C" int openat64(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return dmremap::preload::intercepted_open(directory, path, flags, mode);
}
