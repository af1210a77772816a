// SPDX-License-Identifier: GPL-2.0-or-later
// For the trial of the root file system on a set: preloaded into a process that takes it over, this
// reads a file of the root between asking and serving, as a library might. READ_BETWEEN=nowall: the
// root directory is never changed, so that the file can be reached.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include "intercepted_opens.hpp"

namespace dmremap::preload {

namespace {

// From before it asks until it serves.
bool g_is_between = false;

// A program that executes itself from memory takes this library along; loaded once more from its
// file the two would call one another for ever.
[[gnu::constructor]] void load_once() {
  unsetenv("LD_PRELOAD");
}

void read_file_of_root() {
  const int error = errno;
  const int fd = real_open(AT_FDCWD, "/etc/read-between", O_RDONLY | O_CLOEXEC, 0);
  std::array<char, 4096> data{};
  // From the device, which nobody serves just now: what memory has can often be read all the same.
  if (fd >= 0) (void)!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  if (fd >= 0) (void)!read(fd, data.data(), data.size());
  const std::string told = fd >= 0 ? "reached\n" : std::string(std::strerror(errno)) + "\n";
  close(fd);
  const int out =
      real_open(AT_FDCWD, "/run/read-between", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  (void)!write(out, told.data(), told.size());
  close(out);
  errno = error;
}

}  // namespace

int intercepted_open(int directory, const char* path, int flags, mode_t mode) {
  // The driver is asked for the device when the other process has left it.
  if (g_is_between && std::strcmp(path, "/dev/ublk-control") == 0) read_file_of_root();
  return real_open(directory, path, flags, mode);
}

}  // namespace dmremap::preload

// Before it asks the root directory is changed, and back when it serves.
extern "C" int chroot(const char* path) {
  using Chroot = int (*)(const char*);
  static const auto real = reinterpret_cast<Chroot>(dlsym(RTLD_NEXT, "chroot"));
  dmremap::preload::g_is_between = !dmremap::preload::g_is_between;
  const char* how = std::getenv("READ_BETWEEN");
  return how != nullptr && std::strcmp(how, "nowall") == 0 ? 0 : real(path);
}
