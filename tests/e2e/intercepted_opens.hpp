// SPDX-License-Identifier: GPL-2.0-or-later
// For a library that is preloaded into a program: all its opens, those of its libraries included,
// go through intercepted_open(), which the library defines.
#pragma once

#include <sys/types.h>

namespace dmremap::preload {

// Arguments and result are those of openat(2).
int intercepted_open(int directory, const char* path, int flags, mode_t mode);
// The C library's own.
int real_open(int directory, const char* path, int flags, mode_t mode);

}  // namespace dmremap::preload
