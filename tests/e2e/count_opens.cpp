// SPDX-License-Identifier: GPL-2.0-or-later
// A witness for tests: preloaded, it writes down the path of every file that is opened, libraries'
// own opens included, a line each. OPENS_FILE: where to.
// Both names of each function are defined here: the build must not make one of the other.
#undef _FILE_OFFSET_BITS

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

namespace {

using OpenAt = int (*)(int, const char*, int, mode_t);

OpenAt real_openat() {
  static const auto real = reinterpret_cast<OpenAt>(dlsym(RTLD_NEXT, "openat64"));
  return real;
}

void note(int fd) {
  const char* file = std::getenv("OPENS_FILE");
  if (fd < 0 || file == nullptr) {
    return;
  }
  const int error = errno;
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  const int out = real_openat()(AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (length > 0 && out >= 0) {
    const std::string line = std::string(path.data(), static_cast<std::size_t>(length)) + "\n";
    (void)!write(out, line.data(), line.size());
  }
  close(out);
  errno = error;
}

int open_and_note(int directory, const char* path, int flags, mode_t mode) {
  const int fd = real_openat()(directory, path, flags, mode);
  note(fd);
  return fd;
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
  return open_and_note(AT_FDCWD, path, flags, mode);
}
extern "C" int open64(const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_and_note(AT_FDCWD, path, flags, mode);
}
extern "C" int openat(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_and_note(directory, path, flags, mode);
}
extern "C" int openat64(int directory, const char* path, int flags, ...) {
  DMREMAP_MODE_AFTER(flags);
  return open_and_note(directory, path, flags, mode);
}
